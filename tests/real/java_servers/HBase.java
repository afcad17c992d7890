import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.HColumnDescriptor;
import org.apache.hadoop.hbase.HTableDescriptor;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.master.HMaster;
import org.apache.hadoop.hbase.util.Bytes;
import org.apache.hadoop.security.SecurityUtil;
import org.apache.hadoop.security.UserGroupInformation;

/**
 * HBase with all its servers in this process, and a web server for scripts: /create/TABLE/FAMILY, /values/TABLE/FAMILY/COLUMN, /cells/TABLE,
 * /state/TABLE/readonly|writable|disabled|enabled. It calls what
 * HBase 1 and 2 both have.
 */
class HBase {
    private static Connection connection;

    public static void main(String[] words) throws Exception {
        Configuration site = HBaseConfiguration.create();
        UserGroupInformation.setConfiguration(site);
        if (UserGroupInformation.isSecurityEnabled()) // the web server's client may be asked before the servers have logged in
            UserGroupInformation.loginUserFromKeytab(
                SecurityUtil.getServerPrincipal(site.get("hbase.master.kerberos.principal"), "localhost"), site.get("hbase.master.keytab.file"));
        HttpServer web = HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), Integer.parseInt(words[0])), 0);
        web.createContext("/", HBase::answer);
        web.start();
        HMaster.main(new String[] {"start"});
    }

    private static void answer(HttpExchange exchange) {
        String[] words = exchange.getRequestURI().getPath().split("/");
        byte[] text;
        int status = 200;
        try {
            if (connection == null)
                connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
            switch (words[1]) {
            case "create": text = create(words[2], words[3]); break;
            case "state": text = state(TableName.valueOf(words[2]), words[3]); break;
            case "values": text = values(words[2], words[3], words[4]); break;
            default: text = cells(words[2]);
            }
        } catch (Exception wrong) {
            status = 500;
            text = wrong.toString().getBytes();
        }
        try {
            exchange.sendResponseHeaders(status, text.length > 0 ? text.length : -1);
            exchange.getResponseBody().write(text);
        } catch (java.io.IOException gone) {
            System.err.println("the client is gone: " + gone);
        }
        exchange.close();
    }

    private static byte[] create(String table, String family) throws Exception {
        TableName name = TableName.valueOf(table);
        try (Admin admin = connection.getAdmin()) {
            if (!admin.tableExists(name))
                admin.createTable(new HTableDescriptor(name).addFamily(new HColumnDescriptor(family)));
        }
        return new byte[0];
    }

    private static byte[] state(TableName table, String state) throws Exception {
        try (Admin admin = connection.getAdmin()) {
            if (state.equals("disabled")) {
                admin.disableTable(table);
            } else if (state.equals("enabled")) {
                admin.enableTable(table);
            } else {
                HTableDescriptor descriptor = new HTableDescriptor(admin.getTableDescriptor(table));
                descriptor.setReadOnly(state.equals("readonly"));
                admin.modifyTable(table, descriptor);
            }
        }
        return new byte[0];
    }

    private static byte[] values(String table, String family, String column) throws Exception {
        ByteArrayOutputStream lines = new ByteArrayOutputStream();
        Scan scan = new Scan().addColumn(Bytes.toBytes(family), Bytes.toBytes(column)).setCaching(1000);
        try (Table rows = connection.getTable(TableName.valueOf(table)); ResultScanner scanner = rows.getScanner(scan)) {
            for (Result row : scanner) {
                lines.write(row.value());
                lines.write('\n');
            }
        }
        return lines.toByteArray();
    }

    private static byte[] cells(String table) throws Exception {
        StringBuilder lines = new StringBuilder();
        try (Table rows = connection.getTable(TableName.valueOf(table)); ResultScanner scanner = rows.getScanner(new Scan().setCaching(1000))) {
            for (Result row : scanner) {
                for (Cell cell : row.rawCells()) {
                    lines.append(Bytes.toStringBinary(CellUtil.cloneRow(cell))).append(' ');
                    lines.append(Bytes.toStringBinary(CellUtil.cloneFamily(cell))).append(':');
                    lines.append(Bytes.toStringBinary(CellUtil.cloneQualifier(cell))).append(' ');
                    lines.append(Bytes.toStringBinary(CellUtil.cloneValue(cell))).append('\n');
                }
            }
        }
        return lines.toString().getBytes();
    }
}
