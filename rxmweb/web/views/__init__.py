"""The pages, one module for each subject. The list is explicit."""

from rxmweb.web.views import (
    actions,
    create,
    devices,
    guide,
    hosts,
    laboratories,
    launch,
    machine,
    session,
    status,
    table,
    terminal,
    viewer,
)

BLUEPRINTS = (
    table.pages,
    machine.pages,
    viewer.pages,
    devices.pages,
    hosts.pages,
    laboratories.pages,
    actions.pages,
    create.pages,
    launch.pages,
    session.pages,
    guide.pages,
    terminal.pages,
    status.pages,
)
