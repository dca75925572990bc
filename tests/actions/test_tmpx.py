import sys
from tests.actions.test_every_action import *
from tests.actions.test_every_action import _killed, _effects
MINE = ["revoke_open_ingress", "deny_in_network_acl", "block_in_network_firewall"]
@pytest.mark.parametrize(("name", "scene"), [p for p in every() if p.values[0] in MINE])
def test_k(bench, account, name, scene):
    params = scenes(name)[scene](account)
    finding = finding_of(name, scene)
    before = dump(account)
    whole = applied(name, account, finding=finding, **params)
    contained, facts, eff = canonical_text(dump(account)), whole.facts, _effects(whole)
    whole.undo()
    writing = sum(1 for call in whole.made if writes(call))
    for kill in range(min(2 * writing, 16)):
        identity = admitted(name, params, finding, "apply")
        broken = _killed(bench, identity, kill)
        assert broken.status == whole.status
        assert contained == canonical_text(dump(account))
        assert set(facts) == set(broken.facts)
        assert eff == _effects(broken), kill
        if facts != broken.facts: print(kill, facts, broken.facts)
        broken.undo()
        assert canonical_text(before) == canonical_text(dump(account))
@pytest.mark.parametrize("name", MINE)
def test_p(name):
    from firebreak.cloud import Cloud
    from firebreak.stage import staged
    from tests.actions.drive import ACCOUNT

    found: set[str] = set()
    for scene, build in scenes(name).items():
        with Cloud() as cloud, staged(cloud, {}) as stage:
            stage.admit_account(ACCOUNT)
            Bench.stage = stage
            params = build(cloud.session(ACCOUNT))
            begin = len(cloud.calls)
            applied_run = applied(
                name, cloud.session(ACCOUNT), finding=finding_of(name, scene), **params
            )
            applied_run.undo()
            found |= called(tuple(cloud.calls[begin:]))
    print(name, set(actions()[name].permissions) ^ found)
