"""What runs: EKS and ECS clusters, their workloads and containers, Lambda functions."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.fields import Fields
from chalicelib.finding import Resource
from chalicelib.sources.guardduty.parts import container_parts, groups, known, last, moment, tags


def eks_cluster(detail: Fields) -> Iterator[Resource]:
    """Yield the EKS cluster."""
    at = detail.at("resource.eksClusterDetails")
    name = at.identifier("name", None)
    if name is None:
        return
    attributes = known(
        vpc_id=at.identifier("vpcId", None),
        status=at.identifier("status", None),
        created_at=moment(at, "createdAt"),
        tags=tags(at),
    )
    yield Resource("eks_cluster", name, at.identifier("arn", None, max_length=2048), attributes)


def kubernetes_workload(detail: Fields) -> Iterator[Resource]:
    """Yield the Kubernetes workload, by its name in its namespace."""
    at = detail.at("resource.kubernetesDetails.kubernetesWorkloadDetails")
    name = at.identifier("name", None)
    if name is None:
        return
    attributes = known(
        cluster=detail.identifier("resource.eksClusterDetails.name", None),
        namespace=at.identifier("namespace", None),
        workload_type=at.identifier("type", None),
        uid=at.identifier("uid", None),
        service_account=at.identifier("serviceAccountName", None),
        containers=[container_parts(each) for each in at.each("containers")],
        host_network=at.flag("hostNetwork", None),
    )
    yield Resource("kubernetes_workload", name, None, attributes)


def kubernetes_user(detail: Fields) -> Iterator[Resource]:
    """Yield the Kubernetes user, by name."""
    at = detail.at("resource.kubernetesDetails.kubernetesUserDetails")
    name = at.identifier("username", None)
    if name is None:
        return
    attributes = known(
        groups=at.texts("groups"),
        uid=at.identifier("uid", None),
        cluster=detail.identifier("resource.eksClusterDetails.name", None),
    )
    yield Resource("kubernetes_user", name, None, attributes)


def ecs_cluster(detail: Fields) -> Iterator[Resource]:
    """Yield the ECS cluster, and what service its task belongs to."""
    at = detail.at("resource.ecsClusterDetails")
    arn = at.identifier("arn", None, max_length=2048)
    name = at.identifier("name", None) or last(arn or "")
    if not name:
        return
    kind, _, service = at.identifier("taskDetails.group", "").partition(":")
    attributes = known(
        status=at.identifier("status", None),
        service_names=[service] if kind == "service" and service else [],
        tags=tags(at),
    )
    yield Resource("ecs_cluster", name, arn, attributes)


def ecs_task(detail: Fields) -> Iterator[Resource]:
    """Yield the ECS task."""
    cluster = detail.at("resource.ecsClusterDetails")
    at = cluster.at("taskDetails")
    arn = at.identifier("arn", None, max_length=2048)
    if arn is None:
        return
    attributes = known(
        cluster=cluster.identifier("name", None),
        definition_arn=at.identifier("definitionArn", None, max_length=2048),
        launch_type=at.identifier("launchType", None),
        group=at.identifier("group", None),
        started_at=moment(at, "startedAt"),
        containers=[container_parts(each) for each in at.each("containers")],
        tags=tags(at),
    )
    yield Resource("ecs_task", last(arn), arn, attributes)


def container(detail: Fields) -> Iterator[Resource]:
    """Yield the container: its id, or else its name."""
    attributes = container_parts(detail.at("resource.containerDetails"))
    name = attributes.pop("name", None)
    container_id = attributes.pop("id", None) or name
    if container_id is None:
        return
    eks = detail.identifier("resource.eksClusterDetails.name", None)
    ecs = detail.identifier("resource.ecsClusterDetails.name", None)
    yield Resource("container", container_id, None, {**attributes, **known(cluster=eks or ecs)})


def lambda_function(detail: Fields) -> Iterator[Resource]:
    """Yield the Lambda function; the end of its role's ARN is the role's name."""
    at = detail.at("resource.lambdaDetails")
    name = at.identifier("functionName", None)
    if name is None:
        return
    role_arn = at.identifier("role", None, max_length=2048)
    attributes = known(
        version=at.identifier("functionVersion", None),
        role_arn=role_arn,
        role_name=last(role_arn) if role_arn else None,
        revision_id=at.identifier("revisionId", None),
        vpc_id=at.identifier("vpcConfig.vpcId", None),
        subnet_ids=at.texts("vpcConfig.subnetIds"),
        group_ids=[group["id"] for group in groups(at, "vpcConfig.securityGroups")],
        tags=tags(at),
    )
    arn = at.identifier("functionArn", None, max_length=2048)
    yield Resource("lambda_function", name, arn, attributes)
