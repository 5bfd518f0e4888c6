"""libvirt as the verbs see it: `binding` imports it, `driver` connects, and the others use what that opened."""
