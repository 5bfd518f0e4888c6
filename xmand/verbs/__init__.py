"""The verbs, one module for each family. The list is explicit, so that it can be read and tested."""

from xmand.call import Handler
from xmand.verbs import create, life, meta, migrate, show, tune

HANDLERS: dict[str, Handler] = {
    "help": meta.help,
    "ping": meta.ping,
    "version": meta.version,
    "list": show.list,
    "describe": show.describe,
    "info": show.info,
    "dmesg": show.dmesg,
    "create": create.create,
    "destroy": life.destroy,
    "shutdown": life.shutdown,
    "reboot": life.reboot,
    "pause": life.pause,
    "unpause": life.unpause,
    "mem-set": tune.mem_set,
    "vcpu-set": tune.vcpu_set,
    "migrate": migrate.migrate,
}
