"""What a function's process sees: its package, AWS's SDK and runtime client, its environment."""

from __future__ import annotations

import io
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from firebreak.cloud.backends.lambda_functions import logging_of
from firebreak.cloud.roles import Keys

# What Lambda has beside the package: the SDK, its dependencies, and the runtime interface client.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-sdk-included
PROVIDED = (
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "six",
    "urllib3",
    "awslambdaric",
    "simplejson",
    "snapshot-restore-py",
)


class Sandbox:
    """The folders that the processes of a world run in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runtime = folder / "runtime"
        self._runtime.mkdir()
        for name in PROVIDED:
            _link(name, self._runtime)

    def unpack(self, function: Any) -> Path:
        """Return the folder of a function's package, unpacked once for each code."""
        root = self._folder / str(function.code_digest)
        if not root.exists():
            with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as package:
                package.extractall(root)
        return root

    def output(self, name: str) -> Path:
        """Return the file that a process writes to."""
        return self._folder / f"{name}.log"

    def environment(
        self, function: Any, keys: Keys, endpoint: str, runtime_api: str, stream: str
    ) -> dict[str, str]:
        """Return the environment Lambda gives, and where the embedded AWS is.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        """
        root = str(self.unpack(function))
        logging = logging_of(function)
        return {
            **{name: str(value) for name, value in (function.environment_vars or {}).items()},
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret,
            "AWS_SESSION_TOKEN": keys.token,
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
            "AWS_LAMBDA_LOG_GROUP_NAME": logging["LogGroup"],
            "AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel", ""),
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "LAMBDA_TASK_ROOT": root,
            "_HANDLER": function.handler,
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": f"{root}:{self._runtime}",
            "PYTHONPYCACHEPREFIX": str(self._folder / "compiled"),
            "TZ": ":UTC",
        }


def command(function: Any) -> list[str]:
    """Return the command of a function's process: without site-packages, as Lambda has none."""
    return [sys.executable, "-S", "-m", "awslambdaric", str(function.handler)]


def _link(name: str, into: Path) -> None:
    found = distribution(name)
    tops = {file.parts[0] for file in found.files or ()}
    for top in tops - {"..", "__pycache__"}:
        (into / top).symlink_to(Path(str(found.locate_file(top))).resolve())
