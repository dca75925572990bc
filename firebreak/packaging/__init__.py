"""What is deployed: a stage's configuration, its package, and one template for pipelines.

stage          what `.chalice/config.json` says of a stage
configuration  that file read, and refused where it is wrong
checks         everything that can be wrong with a stage's entry
shipping       the project's own files that ship, and what keeps them from it
building       the folder that Chalice deploys from
archive        the package in it: what Chalice packs, written again so that it is reproducible
merging        the templates and Chalice's own as one
machines       the state machines as resources of a template
"""

from firebreak.packaging.building import Build, build
from firebreak.packaging.configuration import stage_config, stages
from firebreak.packaging.stage import StageConfig

__all__ = ["Build", "StageConfig", "build", "stage_config", "stages"]
