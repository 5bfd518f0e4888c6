#!/usr/bin/ruby
# xman.rb HOST PORT list | VERB DOMAIN | follow SECONDS - a client in Ruby, on its remctl (ruby, ruby-remctl).
require 'json'
require 'remctl'
require 'securerandom'

UNKNOWN = 10
HOST, PORT, VERB, WORD = ARGV
$stdout.sync = true

# Run a command; yields (stream, octets) as they come; returns the status, nil where it was lost.
def ask(*words)
  connection = Remctl.new(HOST, PORT.to_i)
  connection.command(*words)
  loop do
    kind, output, stream, status, = connection.output
    case kind
    when :output then yield stream, output
    when :status then return status
    when :error then warn output
                     return 1
    else return nil
    end
  end
rescue Remctl::Error => error
  warn error.message
  nil
ensure
  connection&.close
end

# Do it once, whatever becomes of the connection; returns the status.
def change(verb, domain)
  rid = SecureRandom.hex(16)
  3.times do
    status = ask(verb, "--rid=#{rid}", '--', domain) { |stream, data| (stream == 1 ? $stdout : $stderr).write(data) }
    return status unless status.nil? || status == UNKNOWN
    sleep 1 # the same id again: the host acts once, and answers with what it did
  end
  UNKNOWN
end

case VERB
when 'list'
  answer = +''
  status = ask('list', '--json', '--') { |stream, data| answer << data if stream == 1 }
  exit(status || 6) unless status&.zero?
  JSON.parse(answer)['result']['domains'].each { |domain| puts domain['name'] }
when 'follow'
  ask('events', '--follow', '--json', "--timeout=#{WORD}", '--') { |stream, data| print data if stream == 1 }
else
  exit change(VERB, WORD)
end
