"""The pages, one module for each subject. The list is explicit."""

from rxmweb.web.views import actions, create, devices, guide, hosts, machine, session, status, table, terminal, viewer

BLUEPRINTS = (
    table.pages,
    machine.pages,
    viewer.pages,
    devices.pages,
    hosts.pages,
    actions.pages,
    create.pages,
    session.pages,
    guide.pages,
    terminal.pages,
    status.pages,
)
