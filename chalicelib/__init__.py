"""What runs in Lambda. Who may import whom is held by tests/test_conventions.py.

Values and pure functions, which import neither boto3 nor chalice:
    errors       the exception tree
    finding      what every source is turned into
    sources/     one module per event source: raw event → findings
    firewall_logs Network Firewall log deliveries → alert events
    pattern      EventBridge event patterns
    paths        the subset of JSONPath that playbooks use
    playbook     playbooks: read, checked, kept
    effect       what an action yields
    workflow     playbook → Amazon States Language
    audit        records chained by hash
    policy       session policies from what actions declare

Actions, and what several of them share (`ec2`, `iam`, `network_acl` …):
    actions/     one module per action

State:
    table        the two DynamoDB tables
    store        what is stored of a remediation
    gates        one remediation at a time for one playbook and target
    halting      the kill switch, and what waits because of it

The way of an event:
    functions    what each Lambda function does
    intake       event → findings → playbooks → remediations → executions
    ingest       Network Firewall logs → events on the bus
    letters      events that a function failed on, as messages of a queue
    retrying     tried again for hours, then kept with their error
    guardrails/  exemptions, modes, limits
    machine      what the state machines ask of `run_step`
    runner/      plan, apply and undo
    lifecycle    a remediation from phase to phase
    deciding/    a person approves or denies what waits
    telling      what people are told

Edges: settings reads the environment, wiring makes objects, aws gives sessions, clock the time, log
one line per invocation.
"""
