#!/usr/bin/php
<?php
// xman.php HOST PORT list | VERB DOMAIN | follow SECONDS - a client in PHP, on its remctl (php-cli, php-remctl).

const UNKNOWN = 10;
[, $host, $port, $verb] = $argv;
$word = $argv[4] ?? '';

// Run a command; calls $each with (stream, octets) as they come; returns the status, null where it was lost.
function ask(string $host, int $port, callable $each, array $words): ?int
{
    $connection = remctl_new();
    if (!remctl_open($connection, $host, $port) || !remctl_command($connection, $words)) {
        fwrite(STDERR, remctl_error($connection) . "\n");
        return null;
    }
    while ($output = remctl_output($connection)) {
        if ($output->type === 'output') {
            $each($output->stream, $output->data);
        } elseif ($output->type === 'status') {
            return $output->status;
        } elseif ($output->type === 'error') {
            fwrite(STDERR, $output->data . "\n");
            return 1;
        } else {
            break;
        }
    }
    fwrite(STDERR, remctl_error($connection) . "\n");
    return null;
}

// Do it once, whatever becomes of the connection; returns the status.
function change(string $host, int $port, string $verb, string $domain): int
{
    $rid = bin2hex(random_bytes(16));
    $show = fn (int $stream, string $data) => fwrite($stream === 1 ? STDOUT : STDERR, $data);
    for ($try = 0; $try < 3; $try++) {
        $status = ask($host, $port, $show, [$verb, "--rid=$rid", '--', $domain]);
        if ($status !== null && $status !== UNKNOWN) {
            return $status;
        }
        sleep(1); // the same id again: the host acts once, and answers with what it did
    }
    return UNKNOWN;
}

if ($verb === 'list') {
    $answer = '';
    $status = ask($host, (int) $port, function ($stream, $data) use (&$answer) {
        $answer .= $stream === 1 ? $data : '';
    }, ['list', '--json', '--']);
    if ($status !== 0) {
        exit($status ?? 6);
    }
    foreach (json_decode($answer)->result->domains as $domain) {
        echo $domain->name, "\n";
    }
} elseif ($verb === 'follow') {
    $show = fn (int $stream, string $data) => $stream === 1 ? fwrite(STDOUT, $data) : 0;
    ask($host, (int) $port, $show, ['events', '--follow', '--json', "--timeout=$word", '--']);
} else {
    exit(change($host, (int) $port, $verb, $word));
}
