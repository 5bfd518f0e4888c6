"""Every number of the protocol, in one table (remctl protocol specification, sections 2 to 4)."""

# IANA's port for remctl.
PORT = 4373

# --- Token flags (the first octet of the outer frame) ------------------------------------------------------------
FLAG_NOOP = 0x01
FLAG_CONTEXT = 0x02
FLAG_DATA = 0x04
FLAG_CONTEXT_NEXT = 0x10
FLAG_PROTOCOL = 0x40

# The only three flag octets that versions 2 and 3 ever send.
FLAGS_HELLO = FLAG_NOOP | FLAG_CONTEXT_NEXT | FLAG_PROTOCOL
FLAGS_CONTEXT = FLAG_CONTEXT | FLAG_PROTOCOL
FLAGS_DATA = FLAG_DATA | FLAG_PROTOCOL

# --- Messages (the second octet of a plaintext) ------------------------------------------------------------------
COMMAND = 1
QUIT = 2
OUTPUT = 3
STATUS = 4
ERROR = 5
VERSION = 6
NOOP = 7

# Message 7 came with version 3; all others are sent as version 2.
VERSION_2 = 2
VERSION_3 = 3
HIGHEST_VERSION = VERSION_3
SUPPORTED_VERSIONS = (VERSION_2, VERSION_3)

# Our own extension: what a client types into a command that runs. The version octet is far above remctl's, so that any
# server that does not know it answers VERSION and goes on, whatever remctl's next version may be.
EXTENSION = 64
DATA = 64
END = 65

# --- The continue octet of COMMAND -------------------------------------------------------------------------------
WHOLE = 0
FIRST = 1
MIDDLE = 2
LAST = 3

STDOUT = 1
STDERR = 2

# --- ERROR codes and the reference server's texts, which clients compare byte for byte -----------------------------
ERROR_INTERNAL = 1
ERROR_BAD_TOKEN = 2
ERROR_UNKNOWN_MESSAGE = 3
ERROR_BAD_COMMAND = 4
ERROR_UNKNOWN_COMMAND = 5
ERROR_ACCESS = 6
ERROR_TOOMANY_ARGS = 7
ERROR_TOOMUCH_DATA = 8
ERROR_UNEXPECTED_MESSAGE = 9
ERROR_NO_HELP = 10  # in the reference's header file, not in the specification

ERROR_TEXTS = {
    ERROR_INTERNAL: "Internal failure",
    ERROR_BAD_TOKEN: "Invalid token",
    ERROR_UNKNOWN_MESSAGE: "Unknown message",
    ERROR_BAD_COMMAND: "Invalid command token",
    ERROR_UNKNOWN_COMMAND: "Unknown command",
    ERROR_ACCESS: "Access denied",
    ERROR_TOOMANY_ARGS: "Too many arguments",
    ERROR_TOOMUCH_DATA: "Too much data",
    ERROR_UNEXPECTED_MESSAGE: "Unexpected message",
    ERROR_NO_HELP: "No help defined for command",
}

# --- Sizes, in octets --------------------------------------------------------------------------------------------
TOKEN_HEADER = 5
# The specification counts the header in; the reference's receive check does not. Send within the former, accept the
# latter.
MAX_TOKEN = 1_048_576
# Before the peer is known it gets less of our memory: a Kerberos ticket with a PAC stays under 64 KiB.
MAX_HANDSHAKE_TOKEN = 65_536
# The most that is handed to gss_wrap, either way.
MAX_PLAINTEXT = 65_536
# Of who is known, but whose right to anything is not: a sealed message of a stock client's. Kerberos adds 60 octets.
MAX_STRANGERS_TOKEN = MAX_PLAINTEXT + 256
OUTPUT_HEADER = 7
MAX_OUTPUT = MAX_PLAINTEXT - OUTPUT_HEADER
COMMAND_HEADER = 4
MAX_CHUNK = MAX_PLAINTEXT - COMMAND_HEADER
DATA_HEADER = 2
MAX_DATA = MAX_PLAINTEXT - DATA_HEADER

# The specification leaves these two to the server. 4,096 is the reference's; 1 MiB is four times the largest
# description (256 KiB) that a verb takes.
MAX_ARGUMENTS = 4096
MAX_COMMAND = 1_048_576
