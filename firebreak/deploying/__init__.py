"""How a stage is deployed and destroyed: six steps, each compared first, each able to run again.

    run           what every step works with; what a step found to change
    steps/        data, foundation, functions, machines, operations, targets
    preflight     everything that can be found wrong before anything is changed
    going         the steps one after the other, under a lease, each error with its next step
    leaving       the same backwards
    stacks        CloudFormation stacks through change sets
    application   what Chalice makes of the package, as plain values
    existing      what Lambda, IAM, EventBridge and API Gateway have of it
    roles         what a role has that is not the stage's
    chalice_run   Chalice itself
    records       Chalice's deployment record, in the state bucket and made of what exists
    lease         who deploys now
    alone         one at a time in a folder
    noting        the audit trail of deployments

docs/decisions/013-deployment.md says why it is so.
"""
