"""The verbs, one module for each family. The list is explicit, so that it can be read and tested."""

from xmand.call import Handler
from xmand.verbs import create, life, managed, meta, migrate, show, stats, tune, watch

HANDLERS: dict[str, Handler] = {
    "help": meta.help,
    "ping": meta.ping,
    "version": meta.version,
    "list": show.list,
    "describe": show.describe,
    "stats": stats.stats,
    "wait": watch.wait,
    "info": show.info,
    "dmesg": show.dmesg,
    "create": create.create,
    "new": create.new,
    "start": managed.start,
    "delete": managed.delete,
    "suspend": managed.suspend,
    "resume": managed.resume,
    "autostart": managed.autostart,
    "destroy": life.destroy,
    "shutdown": life.shutdown,
    "reboot": life.reboot,
    "pause": life.pause,
    "unpause": life.unpause,
    "mem-set": tune.mem_set,
    "vcpu-set": tune.vcpu_set,
    "migrate": migrate.migrate,
}
