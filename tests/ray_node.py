"""``ray start``, however busy the machine is.

A raylet of Ray 2.60 gives the agents that it starts 15 s to write down their ports, and dies otherwise; ports that it is told are
not waited for. But ``ray start --dashboard-agent-listen-port`` tells only the agent, so this tells the raylet as well.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

PATIENCE = {
    "RAY_AUTH_MODE": "disabled",  # else a head asks for a token where its user has one, and a second node has none
    "RAY_worker_niceness": "0",  # Ray gives its workers 15, who then hardly run beside others
    "RAY_agent_register_timeout_ms": "900000",
    "RAY_worker_register_timeout_seconds": "900",
    "RAY_gcs_server_request_timeout_seconds": "300",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "300",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "300",
}
_PORTS = ("dashboard-agent-grpc", "dashboard-agent-listen", "metrics-export", "runtime-env-agent")


def free_ports(n: int) -> list[int]:
    """Return ports on which nobody listens now."""
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def main() -> None:
    """Call ``ray start`` with the arguments of this program."""
    os.environ.update(PATIENCE)
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    from ray._private import services  # pyright: ignore[reportMissingImports] (an extra)
    from ray.scripts import scripts  # pyright: ignore[reportMissingImports]

    start = services.start_ray_process

    def start_with_port(command: list[str], kind: str, *arguments: Any, **options: Any) -> Any:
        told = [f"--dashboard_agent_listen_port={ports['dashboard-agent-listen']}"] if kind == "raylet" else []
        return start([*command, *told], kind, *arguments, **options)

    services.start_ray_process = start_with_port
    sys.argv[1:1] = ["start", *(f"--{name}-port={port}" for name, port in ports.items())]
    sys.exit(scripts.main())


if __name__ == "__main__":
    main()
