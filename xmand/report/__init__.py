"""What this host tells collectors of itself, without being asked: as `host/FQDN`, over a connection that it makes."""
