"""Serve an embedded AWS over HTTP, for clients in other processes.

AWS_ENDPOINT_URL is all that they need: with Cloud() as cloud, serve(cloud) as url: ...
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from firebreak.cloud.serving.door import Door
from firebreak.cloud.serving.http import listening
from firebreak.cloud.world import Cloud


@contextmanager
def serve(cloud: Cloud) -> Iterator[str]:
    """Serve a world on a free port of 127.0.0.1 while the block runs; give the URL.

    Every request is signed, as AWS wants it; its key names who asks, and that caller's policies
    say what it may. Functions that were uploaded run in processes of their own. A REST API is at
    <url>/_aws/execute-api/<id of the API>/<stage>, or under the host that AWS gives it.
    """
    with cloud.hosted() as hosts:
        door = Door(cloud.gate, cloud.identities, hosts.invocation_of, cloud.gateway, cloud.region)
        with listening(door.answer) as place:
            url = f"http://{place}"
            hosts.endpoint = url
            yield url
