"""Chalice's own configuration of a project or of a build, as the command line would have it.

https://aws.github.io/chalice/topics/configfile.html
"""

from __future__ import annotations

import json
from pathlib import Path

from chalice.config import Config


def config_of(folder: Path, stage: str) -> Config:
    """Return Chalice's configuration of a stage in a project's or a build's folder.

    Without the retention of logs: the foundation stack has the log groups.
    """
    import app

    document = json.loads((folder / ".chalice" / "config.json").read_text("utf-8"))
    for said in (document, document.get("stages", {}).get(stage, {})):
        said.pop("log_retention_in_days", None)
    return Config(
        chalice_stage=stage,
        user_provided_params={"chalice_app": app.app},
        config_from_disk=document,
        default_params={
            "project_dir": str(folder),
            "api_gateway_stage": "api",
            "api_gateway_endpoint_type": "EDGE",
            "autogen_policy": True,
        },
    )
