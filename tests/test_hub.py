"""Where a model comes from: every form of --model, on a cache laid out as huggingface_hub does, without a network."""

import subprocess
import sys
from pathlib import Path

import pytest

from tts_fm import hub, hub_files
from tts_fm.errors import ModelError

SHA, OLD = "a" * 40, "b" * 40
V1 = {
    "F5TTS_v1_Base/model_1250000.safetensors": "v1",
    "F5TTS_v1_Base/vocab.txt": " \na\n",
    "F5TTS_Base/vocab.txt": " \nb\n",
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache and no network."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(hub_files, "_download", lambda *args: pytest.fail(f"asked the network for {args}"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def put(cache, repo, contents, sha=SHA, ref="main"):
    """Lay files out as huggingface_hub does: a link in a snapshot to a blob."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "blobs").mkdir(exist_ok=True)
    if ref is not None:
        (folder / "refs" / ref).write_text(sha)
    for name, text in contents.items():
        blob = folder / "blobs" / f"{abs(hash((repo, sha, name))):x}"
        blob.write_text(text)
        link = folder / "snapshots" / sha / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return folder / "snapshots" / sha


def model_folder(path, **more):
    path.mkdir(parents=True)
    for name in ("config.yaml", "model.safetensors", *more):
        (path / name).write_text("x")
    return path


def refused(model, kind=ModelError, **options):
    with pytest.raises(kind) as caught:
        hub.resolve(model, **options)
    message = str(caught.value)
    assert "\n" not in message and (kind is not ValueError or not isinstance(caught.value, ModelError))
    return message


def test_default_is_the_bundled_folder(cache, monkeypatch, tmp_path):
    (tmp_path / "default").mkdir()  # a folder of that name does not hide it
    model_folder(tmp_path / "package" / "voices" / "default")
    monkeypatch.setattr(hub, "files", lambda package: tmp_path / "package")
    assert hub.resolve("default").folder == tmp_path / "package" / "voices" / "default"
    with pytest.raises(ModelError, match="install tts-fm again"):
        hub.bundled("nothing")


def test_a_model_folder(cache, tmp_path):
    folder = model_folder(tmp_path / "mine")
    for name in (str(folder), "mine", "./mine/", "mine/model.safetensors"):
        assert hub.resolve(name).folder.resolve() == folder
    assert "a vocabulary and an architecture go with a checkpoint file" in refused("mine", ValueError, vocab="v.txt")


def test_a_folder_that_is_no_model(cache, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "it has no config.yaml" in refused("empty")
    (tmp_path / "empty" / "model_12.pt").touch()
    assert "name the checkpoint in it, empty/model_12.pt" in refused("empty")


def test_a_foreign_checkpoint(cache, tmp_path):
    (tmp_path / "model_12.safetensors").touch()
    assert "its architecture is needed" in refused("model_12.safetensors", ValueError)
    assert "no vocab.txt beside it; give one" in refused(
        "model_12.safetensors", ValueError, architecture="F5TTS_v1_Base"
    )
    assert "no vocabulary file w.txt" in refused("model_12.safetensors", architecture="F5TTS_v1_Base", vocab="w.txt")
    (tmp_path / "vocab.txt").touch()
    source = hub.resolve("model_12.safetensors", architecture="F5TTS_v1_Base")
    assert (
        source.vocab.name == "vocab.txt" and source.checkpoint.name == "model_12.safetensors" and source.folder is None
    )
    (tmp_path / "w.txt").touch()
    assert hub.resolve("model_12.safetensors", architecture="arch.yaml", vocab="w.txt").vocab.name == "w.txt"
    model_folder(tmp_path / "mine")  # with an architecture even this name is a foreign checkpoint
    assert hub.resolve("mine/model.safetensors", architecture="E2TTS_Base", vocab="w.txt").checkpoint is not None


@pytest.mark.parametrize("model", ["no/such/folder/", "missing.safetensors", "./x", "~/nothing-here"])
def test_a_path_that_is_not_there(cache, model):
    assert f"there is no file or folder {model}" in refused(model)


def test_unknown_names_get_the_nearest(cache):
    assert "did you mean F5TTS_v1_Base" in refused("F5TTS_v1_Bse")
    assert "E2TTS_Base" in refused("E2-TTS-Base")
    assert "known are default, F5TTS_v1_Base" in refused("zzzzzz")
    assert "write hf://someone/something" in refused("someone/something")


def test_a_published_model_from_the_cache(cache):
    snapshot = put(cache, "SWivid/F5-TTS", V1)
    for name in ("F5TTS_v1_Base", "f5tts_v1_base"):
        source = hub.resolve(name)
        assert source.checkpoint == snapshot / "F5TTS_v1_Base/model_1250000.safetensors"
        assert source.vocab.read_text() == " \na\n" and source.architecture == source.name == "F5TTS_v1_Base"
    assert [entry.is_cached for entry in hub.published()] == [True, False, False]


def test_e2_takes_the_vocabulary_of_f5(cache):
    put(cache, "SWivid/F5-TTS", V1)
    put(cache, "SWivid/E2-TTS", {"E2TTS_Base/model_1200000.safetensors": "e2"})
    source = hub.resolve("E2TTS_Base")
    assert source.checkpoint.read_text() == "e2" and source.vocab.read_text() == " \nb\n"


@pytest.mark.parametrize("entry", hub.published(), ids=lambda entry: entry.name)
def test_published_entries_are_complete(entry):
    assert entry.license and entry.gigabytes > 0 and entry.about
    assert hub_files.split(entry.checkpoint)[1].endswith(".safetensors") and hub_files.split(entry.vocab)[1].endswith(
        "vocab.txt"
    )


@pytest.mark.parametrize("model", ["F5TTS_v1_Base", "hf://someone/something", "hf://someone/something@v1/sub"])
def test_offline_and_not_cached_names_the_command(cache, monkeypatch, model):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert f"run: tts-fm models download {model}" in refused(model)


def test_without_a_network_the_command_is_named_at_once(cache, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)

    def unreachable(*args, **kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(hub_files, "getproxies", dict)
    monkeypatch.setattr(hub_files.socket, "create_connection", unreachable)
    message = refused("F5TTS_v1_Base")
    assert "is not reached" in message and "run: tts-fm models download F5TTS_v1_Base" in message


def test_a_model_folder_in_a_repository(cache):
    files = {"config.yaml": "c", "model.safetensors": "m", "vocab.txt": "v", "README.md": "r"}
    snapshot = put(cache, "me/voice", files)
    for address in ("hf://me/voice", "hf://me/voice/", "hf://me/voice@main", "hf://me/voice/model.safetensors"):
        assert hub.resolve(address).folder == snapshot
    nested = put(cache, "me/many", {f"en/small/{name}": text for name, text in files.items()})
    assert hub.resolve("hf://me/many/en/small").folder == nested / "en" / "small"


def test_a_revision_is_a_revision(cache):
    files = {"config.yaml": "new", "model.safetensors": "m", "vocab.txt": "v", "README.md": "r"}
    put(cache, "me/voice", files)
    put(cache, "me/voice", {**files, "config.yaml": "old"}, sha=OLD, ref="v1")
    assert (hub.resolve("hf://me/voice").folder / "config.yaml").read_text() == "new"
    for revision in ("v1", OLD):
        assert (hub.resolve(f"hf://me/voice@{revision}").folder / "config.yaml").read_text() == "old"


def test_a_repository_without_a_vocabulary_needs_no_network(cache, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    snapshot = put(cache, "me/voice", {"config.yaml": "c", "model.safetensors": "m"})
    assert hub.resolve("hf://me/voice").folder == snapshot


def test_a_foreign_checkpoint_in_a_repository(cache):
    snapshot = put(cache, "SWivid/F5-TTS", V1)
    address = "hf://SWivid/F5-TTS/F5TTS_v1_Base/model_1250000.safetensors"
    source = hub.resolve(address, architecture="F5TTS_v1_Base")
    assert source.checkpoint == snapshot / "F5TTS_v1_Base/model_1250000.safetensors"
    assert source.vocab == snapshot / "F5TTS_v1_Base/vocab.txt"
    other = hub.resolve(address, architecture="F5TTS_Base", vocab="hf://SWivid/F5-TTS/F5TTS_Base/vocab.txt")
    assert other.vocab.read_text() == " \nb\n"
    assert "its architecture is needed" in refused(address, ValueError)


def test_a_repository_that_holds_something_else(cache, monkeypatch):
    def absent(repo, path, revision, command):
        raise LookupError(path)

    monkeypatch.setattr(hub_files, "_download", absent)
    assert "it has no config.yaml" in refused("hf://me/other")
    assert "has no file a/b.pt" in refused("hf://me/other/a/b.pt", architecture="F5TTS_Base")


@pytest.mark.parametrize("address", ["hf://x", "hf://", "hf://a/b@", "hf:///b/c", "hf://a/b/../../c", "hf://a b/c"])
def test_addresses_that_are_none(cache, address):
    assert "is no address" in refused(address)


def test_files_are_downloaded_once_and_from_one_commit(cache, monkeypatch):
    calls = []
    files = {"config.yaml": "c", "model.safetensors": "m", "vocab.txt": "v", "README.md": "r"}

    def download(repo, path, revision, command):
        calls.append((path, revision, command))
        return put(cache, repo, {path: files[path]}) / path

    monkeypatch.setattr(hub_files, "_download", download)
    first = hub.resolve("hf://me/voice")
    assert [call[:2] for call in calls] == [("config.yaml", None), *((name, SHA) for name in list(files)[1:])]
    assert calls[0][2] == "tts-fm models download hf://me/voice"
    assert hub.resolve("hf://me/voice") == first and len(calls) == 4


def test_download_brings_the_vocoder_too(cache, monkeypatch):
    calls = []

    def download(repo, path, revision, command):
        calls.append(f"{repo}/{path}")
        if path == "model.safetensors":
            raise LookupError(path)
        return put(cache, repo, {path: "x"}) / path

    monkeypatch.setattr(hub_files, "_download", download)
    hub.download("F5TTS_v1_Base")
    assert calls[2:] == [
        f"charactr/vocos-mel-24khz/{name}" for name in ("config.yaml", "model.safetensors", "pytorch_model.bin")
    ]
    assert (hub.vocoder_folder(hub.VOCOS) / "pytorch_model.bin").is_file()


def test_every_command_that_an_error_names_works(cache, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    checkpoint = put(cache, "me/f5", {"en/model_9.pt": "x", "en/vocab.txt": "v"})
    source = hub.download("hf://me/f5/en/model_9.pt")
    assert (source.checkpoint, source.vocab) == (checkpoint / "en/model_9.pt", checkpoint / "en/vocab.txt")
    vocoder = put(cache, "charactr/vocos-mel-24khz", {"config.yaml": "c", "pytorch_model.bin": "b"})
    assert hub.download(hub.VOCOS).folder == hub.vocoder_folder(hub.VOCOS) == vocoder
    with pytest.raises(ModelError, match="run: tts-fm models download hf://me/nothing"):
        hub.download("hf://me/nothing")


def test_vocoder_folders(cache, tmp_path, monkeypatch):
    (tmp_path / "v").mkdir()
    assert hub.vocoder_folder("v") == Path("v")
    with pytest.raises(ModelError, match="no vocoder folder"):
        hub.vocoder_folder("w")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="run: tts-fm models download hf://charactr"):
        hub.vocoder_folder(hub.VOCOS)


def test_no_torch_is_imported():
    code = "import sys, tts_fm.hub; sys.exit('torch' in sys.modules or 'huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1]).returncode == 0


def test_the_size_of_a_model_is_that_of_its_weights_and_its_vocoders(tmp_path: Path) -> None:
    sizes = {"model.safetensors": 300, "vocoder/model.safetensors": 50, "README.md": 7}
    for name, size in sizes.items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    assert hub.ModelSource("a", folder=tmp_path / "model").weights_bytes == 350
    assert hub.ModelSource("a", checkpoint=tmp_path / "model" / "README.md").weights_bytes == 7
