#!/usr/bin/perl
# xman.pl HOST PORT list | VERB DOMAIN | follow SECONDS - a client in Perl, on Net::Remctl (libnet-remctl-perl).
use strict;
use warnings;
use JSON::PP;
use Net::Remctl;

my $UNKNOWN = 10;
my ($host, $port, $verb, $word) = @ARGV;
$| = 1;

# Run a command; calls $each with (stream, octets) as they come, and returns the status, undef where it was lost.
sub ask {
    my ($each, @words) = @_;
    my $connection = Net::Remctl->new;
    if (!$connection->open($host, $port) || !$connection->command(@words)) {
        warn $connection->error, "\n";
        return;
    }
    while (my $output = $connection->output) {
        my $type = $output->type;
        if    ($type eq 'output') { $each->($output->stream, $output->data) }
        elsif ($type eq 'status') { return $output->status }
        elsif ($type eq 'error')  { warn $output->data, "\n"; return 1 }
        else                      { last }
    }
    warn $connection->error, "\n";
    return;
}

# Do it once, whatever becomes of the connection; return the status.
sub change {
    my ($verb, $domain) = @_;
    open my $random, '<:raw', '/dev/urandom' or die "/dev/urandom: $!\n";
    read $random, my $octets, 16;
    my $rid = unpack 'H*', $octets;
    for (1 .. 3) {
        my $status = ask(sub { print { $_[0] == 1 ? *STDOUT : *STDERR } $_[1] }, $verb, "--rid=$rid", '--', $domain);
        return $status if defined $status && $status != $UNKNOWN;
        sleep 1;    # the same id again: the host acts once, and answers with what it did
    }
    return $UNKNOWN;
}

if ($verb eq 'list') {
    my $answer = '';
    my $status = ask(sub { $answer .= $_[1] if $_[0] == 1 }, 'list', '--json', '--');
    exit($status // 6) if !defined $status || $status;
    print "$_->{name}\n" for @{ decode_json($answer)->{result}{domains} };
} elsif ($verb eq 'follow') {
    ask(sub { print $_[1] if $_[0] == 1 }, 'events', '--follow', '--json', "--timeout=$word", '--');
} else {
    exit change($verb, $word);
}
