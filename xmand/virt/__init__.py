"""libvirt as the verbs see it. Only `driver` imports `libvirt`; `domain` and `host` use what it opened."""
