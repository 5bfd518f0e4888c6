"""What tests and the demonstration run on: a throw-away realm, daemons, hypervisors and guests, all their own."""
