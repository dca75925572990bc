import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/**
 * Start DynamoDB Local on the loopback interface, on a free port, until standard input ends.
 *
 * <p>By itself it listens on every interface, and has no option for it; so its server gets a host
 * before it starts. It ends with whoever started it, killed or not.
 */
public final class Loopback {
    public static void main(String[] arguments) throws Exception {
        String[] options = {"-inMemory", "-sharedDb", "-disableTelemetry", "-port", "8000"};
        DynamoDBProxyServer proxy = ServerRunner.createServerFromCommandLineArgs(options);
        Field field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        Server server = (Server) field.get(proxy);
        for (Connector connector : server.getConnectors()) {
            ((ServerConnector) connector).setHost("127.0.0.1");
            ((ServerConnector) connector).setPort(0);
            ((ServerConnector) connector).setIdleTimeout(0);
        }
        proxy.start();
        int port = ((ServerConnector) server.getConnectors()[0]).getLocalPort();
        System.out.println("listening on " + port);
        while (System.in.read() != -1) {}
        Runtime.getRuntime().halt(0);
    }
}
