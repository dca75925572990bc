"""CloudFormation: stacks and change sets, as strict as AWS where a deployment relies on it.

moto's own makes no difference between what a template changes and what it leaves, knows no
rollback, and leaves out what it does not know. So the operations of the API are answered here.

    operations, reading, change_sets   the API: patched into moto's responses
    templates, parameters, intrinsics, properties   read and check what is given
    stack        what is kept of a stack
    run          bring a stack in line with a template, or back; delete it
    changes      what a change set would do
    permissions  may the caller do what the handlers of the resources do?
    kinds/       a class per resource type
"""
