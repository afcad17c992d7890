// Reads an ORC file with Apache ORC and prints its rows, one line each, in the words of orc_write.c.
//
//   OrcDump rows FILE..                  all rows; of a transactional table, the row itself, and a check of the columns around it
//   OrcDump seek N,N.. FILE..            the rows with these numbers, each after a seek
//   OrcDump find FILE [COLUMN TYPE VALUE]..  how many rows a search for the value has to read, and how many of them match
//   OrcDump about FILE                   stripes, rows, metadata, statistics
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.orc.ColumnStatistics;
import org.apache.orc.OrcFile;
import org.apache.orc.Reader;
import org.apache.orc.RecordReader;
import org.apache.orc.TypeDescription;
import org.apache.orc.storage.ql.exec.vector.*;
import org.apache.orc.storage.ql.io.sarg.PredicateLeaf;
import org.apache.orc.storage.ql.io.sarg.SearchArgumentFactory;

public class OrcDump {
    static final StringBuilder out = new StringBuilder();

    static void hex(BytesColumnVector bytes, int row) {
        out.append('"');
        for (int i = 0; i < bytes.length[row]; i++) {
            int one = bytes.vector[row][bytes.start[row] + i];
            out.append(Character.forDigit(one >> 4 & 15, 16)).append(Character.forDigit(one & 15, 16));
        }
        out.append('"');
    }

    static void items(ColumnVector[] of, List<TypeDescription> types, long from, long count, String marks) {
        out.append(marks.charAt(0));
        for (long i = from; i < from + count; i++)
            for (int child = 0; child < of.length; child++) {
                if (i > from || child > 0)
                    out.append(',');
                print(of[child], types.get(child), (int) i);
            }
        out.append(marks.charAt(1));
    }

    static void real(ColumnVector column, TypeDescription type, int row) {
        double value = ((DoubleColumnVector) column).vector[row];
        if (Double.isNaN(value))
            out.append("NaN");
        else if (type.getCategory() == TypeDescription.Category.FLOAT)
            out.append(Integer.toHexString(Float.floatToIntBits((float) value)));
        else
            out.append(Long.toHexString(Double.doubleToLongBits(value)));
    }

    static void print(ColumnVector column, TypeDescription type, int row) {
        if (column.isRepeating)
            row = 0;
        if (!column.noNulls && column.isNull[row]) {
            out.append("null");
            return;
        }
        switch (type.getCategory()) {
        case BOOLEAN: out.append(((LongColumnVector) column).vector[row] != 0); break;
        case BYTE: case SHORT: case INT: case LONG: case DATE: out.append(((LongColumnVector) column).vector[row]); break;
        case FLOAT: case DOUBLE: real(column, type, row); break;
        case STRING: case VARCHAR: case CHAR: case BINARY: hex((BytesColumnVector) column, row); break;
        case DECIMAL: out.append(((DecimalColumnVector) column).vector[row]); break;
        case TIMESTAMP:
            TimestampColumnVector times = (TimestampColumnVector) column;
            String nanos = Integer.toString(times.nanos[row]);
            out.append(Math.floorDiv(times.time[row], 1000L)).append('.').append("000000000", nanos.length(), 9).append(nanos);
            break;
        case LIST:
            ListColumnVector list = (ListColumnVector) column;
            items(new ColumnVector[] {list.child}, type.getChildren(), list.offsets[row], list.lengths[row], "[]");
            break;
        case MAP:
            MapColumnVector map = (MapColumnVector) column;
            items(new ColumnVector[] {map.keys, map.values}, type.getChildren(), map.offsets[row], map.lengths[row], "{}");
            break;
        case STRUCT: items(((StructColumnVector) column).fields, type.getChildren(), row, 1, "()"); break;
        default: throw new IllegalStateException(type.toString());
        }
    }

    static long number(ColumnVector[] columns, int column, int row) {
        LongColumnVector numbers = (LongColumnVector) columns[column];
        return numbers.vector[numbers.isRepeating ? 0 : row];
    }

    // Bucket 3 without a statement, of transaction 5.
    static void checkAcid(ColumnVector[] columns, int row, long number) {
        long transaction = number(columns, 1, row), inTransaction = number(columns, 3, row);
        if (number(columns, 0, row) != 0 || transaction != 5 || inTransaction != number
                || number(columns, 2, row) != (1 << 29) + (3 << 16) || number(columns, 4, row) != transaction)
            throw new IllegalStateException("the key of row " + number);
    }

    static void printRow(VectorizedRowBatch batch, TypeDescription schema, int row, long number) {
        ColumnVector[] columns = batch.cols;
        if (schema.getFieldNames().get(0).equals("operation")) {
            checkAcid(columns, row, number);
            columns = ((StructColumnVector) columns[5]).fields;
            schema = schema.getChildren().get(5);
        }
        for (int i = 0; i < columns.length; i++) {
            print(columns[i], schema.getChildren().get(i), row);
            out.append(i + 1 < columns.length ? ' ' : '\n');
        }
        if (out.length() > 1 << 20)
            flush();
    }

    static void flush() {
        System.out.print(out);
        out.setLength(0);
    }

    static Object literal(PredicateLeaf.Type type, String text) {
        switch (type) {
        case LONG: return Long.valueOf(text);
        case FLOAT: return Double.valueOf(text);
        case DECIMAL: return new org.apache.orc.storage.serde2.io.HiveDecimalWritable(text);
        // By year, month and day, which are what ORC asks it for: before 1582 its milliseconds are of another calendar.
        case DATE: return java.sql.Date.valueOf(java.time.LocalDate.ofEpochDay(Long.parseLong(text)));
        case TIMESTAMP: return new java.sql.Timestamp(Long.parseLong(text));
        default: return text;
        }
    }

    static void find(Reader reader, String column, PredicateLeaf.Type type, String text) throws Exception {
        Reader.Options options = reader.options().searchArgument(
            SearchArgumentFactory.newBuilder().equals(column, type, literal(type, text)).build(), new String[] {column});
        long read = 0, matched = 0;
        TypeDescription schema = reader.getSchema();
        int index = schema.getFieldNames().indexOf(column);
        VectorizedRowBatch batch = schema.createRowBatch();
        try (RecordReader rows = reader.rows(options)) {
            while (rows.nextBatch(batch))
                for (int row = 0; row < batch.size; row++, read++) {
                    out.setLength(0);
                    print(batch.cols[index], schema.getChildren().get(index), row);
                    String wanted = type == PredicateLeaf.Type.STRING ? hexOf(text) : text;
                    if (out.toString().equals(wanted))
                        matched++;
                }
        }
        out.setLength(0);
        System.out.println(column + " " + text + ": " + read + " read, " + matched + " match");
    }

    static String hexOf(String text) {
        StringBuilder hex = new StringBuilder("\"");
        for (byte one : text.getBytes(StandardCharsets.UTF_8))
            hex.append(String.format("%02x", one));
        return hex.append('"').toString();
    }

    static void about(Reader reader) throws Exception {
        System.out.println("rows " + reader.getNumberOfRows() + ", stripes " + reader.getStripes().size() + ", compression "
            + reader.getCompressionKind() + ", stripe statistics " + reader.getStripeStatistics().size());
        for (String key : reader.getMetadataKeys())
            System.out.println(key + "=" + StandardCharsets.UTF_8.decode(reader.getMetadataValue(key)));
        int id = 0;
        for (ColumnStatistics column : reader.getStatistics()) {
            String text = column.toString();
            System.out.println("column " + id++ + ": " + text.substring(0, Math.min(200, text.length())));
        }
    }

    static Reader open(String file) throws Exception {
        return OrcFile.createReader(new Path("file://" + file),
            OrcFile.readerOptions(new Configuration(false)).useUTCTimestamp(true).convertToProlepticGregorian(true));
    }

    static void rows(String file) throws Exception {
        Reader reader = open(file);
        TypeDescription schema = reader.getSchema();
        VectorizedRowBatch batch = schema.createRowBatch();
        System.out.println("== " + file);
        try (RecordReader rows = reader.rows()) {
            for (long number = 0; rows.nextBatch(batch);)
                for (int row = 0; row < batch.size; row++)
                    printRow(batch, schema, row, number++);
        }
        flush();
    }

    // Without a search, Java's reader fails on a seek in a file that has bloom filters.
    static void seek(String file, List<String> numbers) throws Exception {
        Reader reader = open(file);
        TypeDescription schema = reader.getSchema();
        VectorizedRowBatch batch = schema.createRowBatch();
        String first = schema.getFieldNames().get(0);
        Reader.Options all = reader.options().searchArgument(SearchArgumentFactory.newBuilder().startNot()
            .lessThan(first, PredicateLeaf.Type.LONG, Long.MIN_VALUE).end().build(), new String[] {first});
        System.out.println("== " + file);
        try (RecordReader rows = reader.rows(all)) {
            for (String number : numbers) {
                rows.seekToRow(Long.parseLong(number));
                rows.nextBatch(batch);
                printRow(batch, schema, 0, Long.parseLong(number));
            }
        }
        flush();
    }

    public static void main(String[] args) throws Exception {
        List<String> words = Arrays.asList(args);
        switch (args[0]) {
        case "rows":
            for (String file : words.subList(1, words.size()))
                rows(file);
            break;
        case "seek":
            for (String file : words.subList(2, words.size()))
                seek(file, Arrays.asList(args[1].split(",")));
            break;
        case "find":
            for (int i = 2; i < args.length; i += 3)
                find(open(args[1]), args[i], PredicateLeaf.Type.valueOf(args[i + 1]), args[i + 2]);
            break;
        default: about(open(args[1]));
        }
    }
}
