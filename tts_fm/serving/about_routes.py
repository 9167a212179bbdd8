"""What a server says of itself: its page, its models, its health and its numbers."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from tts_fm import page
from tts_fm.serving import formats, wire
from tts_fm.serving.errors import ApiError, documented
from tts_fm.serving.service import Service
from tts_fm.serving.speech_routes import Ours

router = APIRouter(tags=["about"])
_KEYED = documented(401, 403)


@router.get("/", response_class=HTMLResponse, responses=documented(403))
async def about(request: Request, service: Ours) -> HTMLResponse:
    """Tell a person what this is, and let them try it."""
    return HTMLResponse(_page(service, str(request.base_url).rstrip("/")))


@router.get("/v1/models", response_model=wire.Models, responses=_KEYED)
async def list_models(service: Ours) -> wire.Models:
    """Tell the names under which the model answers."""
    return wire.Models(data=[_model(name, service) for name in service.model_names])


@router.get("/v1/models/{model:path}", response_model=wire.Model, responses=_KEYED | documented(404))
async def get_model(model: str, service: Ours) -> wire.Model:
    """Tell of the model under one of its names."""
    if model not in service.model_names:
        message = f"there is no model {model[:80]!r}; choose one of {', '.join(service.model_names)}"
        raise ApiError(404, message, param="model", code="model_not_found")
    return _model(model, service)


@router.get("/health", response_model=wire.Health, responses={503: {"model": wire.Health}, **documented(403)})
async def health(service: Ours) -> Response:
    """Tell whether the server speaks; 503 where it is stopping."""
    queue = service.queue
    state = wire.Health(status="stopping" if queue.is_stopping else "ok", running=queue.running, waiting=queue.waiting)
    return JSONResponse(state.model_dump(), 503 if queue.is_stopping else 200)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **_KEYED},
)
async def metrics(service: Ours) -> Response:
    """Tell the numbers, as Prometheus reads them."""
    return Response(service.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _model(name: str, service: Service) -> wire.Model:
    return wire.Model(id=name, created=service.started)


def _page(service: Service, address: str) -> str:
    names = "".join(f"<option>{escape(name)}</option>" for name in service.voices.names())
    curl = (
        f"curl {address}/v1/audio/speech -H 'Content-Type: application/json' \\\n"
        f'  -d \'{{"input": "Flow matching turns noise into speech."}}\' --output hello.mp3'
    )
    header = (
        f"<div><h1>Speech by flow matching</h1><p>An OpenAI-compatible server of tts_fm. The model is "
        f"{escape(service.synthesizer.config.name)}; all it says is synthetic.</p></div>"
    )
    main = _MAIN.format(
        voices=names, curl=escape(curl), address=escape(address), formats=", ".join(formats.MEDIA_TYPES)
    )
    return page.document("tts_fm: speech server", header, main, page.SECTIONS + _STYLE, _SCRIPT)


_MAIN = """<section><h2>Try it</h2>
<form id="try">
<label>Text<textarea name="input" rows="3" maxlength="4096" required>Flow matching turns noise into speech.</textarea></label>
<label>Voice<select name="voice">{voices}</select></label>
<label>Key, where one is needed<input name="key" type="password" autocomplete="off"></label>
<button>Speak</button> <output></output>
</form></section>
<section><h2>Use it</h2>
<p>The base URL for clients is <code>{address}/v1</code>; formats are {formats}.</p>
<pre>{curl}</pre>
<p><a href="openapi.json">Everything that can be asked</a> · <a href="health">Health</a> · <a href="metrics">Metrics</a></p>
</section>"""

_STYLE = """
form { display: grid; gap: 12px; max-width: 560px; margin-top: 8px; }
label { display: grid; gap: 4px; color: var(--faint); font-size: 13.5px; }
textarea, select, input, button {
  font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 8px;
}
button { justify-self: start; padding: 8px 20px; background: var(--curve); color: var(--paper); border: 0; cursor: pointer; }
pre {
  max-width: 100%; overflow-x: auto; padding: 12px;
  background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
}
"""

_SCRIPT = """
document.getElementById("try").addEventListener("submit", async event => {
  event.preventDefault();
  const form = event.target, status = form.querySelector("output"), fields = new FormData(form);
  const headers = {"Content-Type": "application/json"};
  if (fields.get("key")) headers.Authorization = "Bearer " + fields.get("key");
  status.textContent = "Speaking …";
  try {
    const body = JSON.stringify({input: fields.get("input"), voice: fields.get("voice")});
    const answer = await fetch("v1/audio/speech", {method: "POST", headers, body});
    if (!answer.ok) throw new Error((await answer.json()).error.message);
    const audio = new Audio(URL.createObjectURL(await answer.blob()));
    audio.controls = true;
    status.replaceChildren(audio);
    audio.play();
  } catch (error) {
    status.textContent = error.message;
  }
});
"""
