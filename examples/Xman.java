// Xman HOST PORT list | VERB DOMAIN | follow SECONDS - a client in Java, on the JDK's own GSSAPI and Kerberos.
//
//     java Xman.java skirit80.example.org 4373 list
//
// Nobody has a remctl for Java in Debian, so the protocol is here as well (xman-protocol(7)). Java has no JSON of its
// own: list prints the host's object as it came.
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.HashMap;
import java.util.Map;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.login.Configuration;
import org.ietf.jgss.GSSContext;
import org.ietf.jgss.GSSException;
import org.ietf.jgss.GSSManager;
import org.ietf.jgss.GSSName;
import org.ietf.jgss.MessageProp;
import org.ietf.jgss.Oid;

public class Xman {
    private static final int UNKNOWN = 10, CREDENTIALS = 4;
    // Flags of tokens, and kinds of messages.
    private static final int NOOP = 0x01, CONTEXT = 0x02, DATA = 0x04, NEXT = 0x10, PROTOCOL = 0x40;
    private static final int COMMAND = 1, OUTPUT = 3, STATUS = 4, ERROR = 5;
    private static final int MOST = 1 << 20;

    private final DataInputStream in;
    private final DataOutputStream out;
    private final GSSContext context;

    private Xman(Socket socket, String host) throws IOException, GSSException {
        in = new DataInputStream(socket.getInputStream());
        out = new DataOutputStream(socket.getOutputStream());
        GSSManager manager = GSSManager.getInstance();
        Oid kerberos = new Oid("1.2.840.113554.1.2.2");
        GSSName service = manager.createName("host@" + host, GSSName.NT_HOSTBASED_SERVICE);
        context = manager.createContext(service, kerberos, null, GSSContext.DEFAULT_LIFETIME);
        context.requestMutualAuth(true);
        context.requestConf(true);
        context.requestInteg(true);
        context.requestReplayDet(true);
        context.requestSequenceDet(true);
        send(NOOP | NEXT | PROTOCOL, new byte[0]);
        byte[] token = context.initSecContext(new byte[0], 0, 0);
        while (true) {
            if (token != null) {
                send(CONTEXT | PROTOCOL, token);
            }
            if (context.isEstablished()) {
                break;
            }
            byte[] answer = receive();
            token = context.initSecContext(answer, 0, answer.length);
        }
        if (!context.getMutualAuthState() || !context.getConfState()) {
            throw new IOException("the connection is not protected");
        }
    }

    private void send(int flags, byte[] payload) throws IOException {
        out.writeByte(flags);
        out.writeInt(payload.length);
        out.write(payload);
        out.flush();
    }

    private byte[] receive() throws IOException {
        in.readUnsignedByte();
        int length = in.readInt();
        if (length < 0 || length > MOST + 65536) {
            throw new IOException("a token of " + length + " octets");
        }
        return in.readNBytes(length);
    }

    /** Run a command, write what it writes as it comes, and return its status. */
    private int ask(String... words) throws IOException, GSSException {
        ByteArrayOutputStream octets = new ByteArrayOutputStream();
        DataOutputStream command = new DataOutputStream(octets);
        command.write(new byte[] {2, COMMAND, 0, 0}); // version 2, no other command follows, all in one message
        command.writeInt(words.length);
        for (String word : words) {
            byte[] text = word.getBytes(StandardCharsets.UTF_8);
            command.writeInt(text.length);
            command.write(text);
        }
        MessageProp sealed = new MessageProp(0, true);
        send(DATA | PROTOCOL, context.wrap(octets.toByteArray(), 0, octets.size(), sealed));
        while (true) {
            byte[] token = receive();
            MessageProp how = new MessageProp(0, true);
            byte[] message = context.unwrap(token, 0, token.length, how);
            if (!how.getPrivacy()) {
                throw new IOException("a message that is not encrypted");
            }
            if (message[1] == OUTPUT) {
                (message[2] == 1 ? System.out : System.err).write(message, 7, message.length - 7);
                System.out.flush();
            } else if (message[1] == STATUS) {
                return message[2] & 0xff;
            } else if (message[1] == ERROR) {
                System.err.println(new String(message, 10, message.length - 10, StandardCharsets.UTF_8));
                return 1;
            }
        }
    }

    private static int once(String host, int port, String... words) throws IOException, GSSException {
        try (Socket socket = new Socket(host, port)) {
            return new Xman(socket, host).ask(words);
        }
    }

    /** Do it once, whatever becomes of the connection; return the status. */
    private static int change(String host, int port, String verb, String domain) throws Exception {
        byte[] octets = new byte[16];
        new SecureRandom().nextBytes(octets);
        StringBuilder rid = new StringBuilder("--rid=");
        for (byte octet : octets) {
            rid.append(String.format("%02x", octet));
        }
        for (int i = 0; i < 3; i++) {
            try {
                int status = once(host, port, verb, rid.toString(), "--", domain);
                if (status != UNKNOWN) {
                    return status;
                }
            } catch (IOException error) {
                System.err.println(error.getMessage());
            }
            Thread.sleep(1000); // the same id again: the host acts once, and answers with what it did
        }
        return UNKNOWN;
    }

    /** Let the JDK's Kerberos use the ticket that kinit got. */
    private static void useTicket() {
        System.setProperty("javax.security.auth.useSubjectCredsOnly", "false");
        String configuration = System.getenv("KRB5_CONFIG");
        if (configuration != null) {
            System.setProperty("java.security.krb5.conf", configuration.split(":")[0]);
        }
        Map<String, String> options = new HashMap<>();
        options.put("useTicketCache", "true");
        options.put("doNotPrompt", "true");
        String cache = System.getenv("KRB5CCNAME");
        if (cache != null) {
            options.put("ticketCache", cache.replaceFirst("^FILE:", ""));
        }
        AppConfigurationEntry entry = new AppConfigurationEntry(
                "com.sun.security.auth.module.Krb5LoginModule",
                AppConfigurationEntry.LoginModuleControlFlag.REQUIRED, options);
        Configuration.setConfiguration(new Configuration() {
            @Override
            public AppConfigurationEntry[] getAppConfigurationEntry(String name) {
                return new AppConfigurationEntry[] {entry};
            }
        });
    }

    public static void main(String[] words) throws Exception {
        if (words.length < 3) {
            System.err.println("Usage: Xman HOST PORT list | VERB DOMAIN | follow SECONDS");
            System.exit(2);
        }
        useTicket();
        String host = words[0], verb = words[2];
        int port = Integer.parseInt(words[1]);
        try {
            if (verb.equals("list")) {
                System.exit(once(host, port, "list", "--json", "--"));
            } else if (verb.equals("follow")) {
                System.exit(once(host, port, "events", "--follow", "--json", "--timeout=" + words[3], "--"));
            }
            System.exit(change(host, port, verb, words[3]));
        } catch (GSSException error) {
            System.err.println(error.getMessage());
            System.exit(CREDENTIALS);
        }
    }
}
