"""The WWW portal: a table of all hosts' domains, and every verb as a button, on top of rxm.

Data flows one way: the collector asks the hosts and fills one database; pages read only that, and never wait for a
host. Actions are rows of the same database, carried out by the runner, each by one `rxm` with its person's ticket.
"""
