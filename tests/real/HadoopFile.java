// Reads files as Hadoop's own tools do, and prints what is in them; or writes some.
//
//   sequence FILE...  of each record of SequenceFiles: key, length and MD5 of the value (its class on the first line of the file)
//   text FILE...      of each file that CompressionCodecFactory finds a codec for by its name: length and MD5 of the plain bytes
//   write DIR         SequenceFiles of each compression and codec, and streams of each codec: the vectors of
//                     tests/stages/lib/hadoop/file/data
//
// zstandard needs libhadoop, which is in no package: ZStandardCodec.java stands in for its codec.
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStream;
import java.security.MessageDigest;
import java.util.Arrays;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.BytesWritable;
import org.apache.hadoop.io.IOUtils;
import org.apache.hadoop.io.LongWritable;
import org.apache.hadoop.io.SequenceFile;
import org.apache.hadoop.io.SequenceFile.CompressionType;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.io.Writable;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.hadoop.io.compress.CompressionOutputStream;
import org.apache.hadoop.util.ReflectionUtils;

public class HadoopFile {
    static final Configuration configuration = new Configuration();

    static String md5(byte[] bytes, int length) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("MD5");
        digest.update(bytes, 0, length);
        return String.format("%032x", new java.math.BigInteger(1, digest.digest()));
    }

    static void sequence(String file) throws Exception {
        try (SequenceFile.Reader reader =
                 new SequenceFile.Reader(configuration, SequenceFile.Reader.file(new Path(new File(file).toURI())))) {
            System.out.println(new File(file).getName() + " " + reader.getKeyClassName() + " " + reader.getValueClassName() + " "
                               + reader.getCompressionType() + " "
                               + (reader.isCompressed() ? reader.getCompressionCodec().getClass().getName() : "-"));
            LongWritable key = new LongWritable();
            Writable value = (Writable)ReflectionUtils.newInstance(reader.getValueClass(), configuration);
            while (reader.next(key, value)) {
                byte[] bytes = value instanceof Text ? ((Text)value).getBytes() : ((BytesWritable)value).getBytes();
                int length = value instanceof Text ? ((Text)value).getLength() : ((BytesWritable)value).getLength();
                System.out.println(key.get() + " " + length + " " + md5(bytes, length));
            }
        }
    }

    static void text(String file) throws Exception {
        CompressionCodec codec = new CompressionCodecFactory(configuration).getCodec(new Path(file));
        Path path = new Path(new File(file).toURI());
        try (InputStream in = codec.createInputStream(path.getFileSystem(configuration).open(path))) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            IOUtils.copyBytes(in, bytes, 65536, false);
            System.out.println(new File(file).getName() + " " + bytes.size() + " " + md5(bytes.toByteArray(), bytes.size()));
        }
    }

    static CompressionCodec codec(String name) throws Exception {
        Class<?> found = Class.forName("org.apache.hadoop.io.compress." + name);
        return (CompressionCodec)ReflectionUtils.newInstance(found, configuration);
    }

    static void write(String directory) throws Exception {
        FileSystem files = FileSystem.getLocal(configuration).getRaw();
        String[] codecs = {"DefaultCodec", "GzipCodec", "BZip2Codec", "Lz4Codec", "SnappyCodec", "ZStandardCodec"};
        for (String name : codecs) {
            for (CompressionType type : CompressionType.values()) {
                if (type == CompressionType.NONE && !name.equals("DefaultCodec"))
                    continue;
                String file = "sequence_" + type + (type == CompressionType.NONE ? "" : "_" + name);
                try (FSDataOutputStream out = files.create(new Path(directory, file));
                     SequenceFile.Writer writer =
                         SequenceFile.createWriter(configuration, out, LongWritable.class, BytesWritable.class, type, codec(name))) {
                    for (int i = 0; i < 20; i++) {
                        byte[] body = new byte[i * 7];
                        Arrays.fill(body, (byte)('a' + i));
                        writer.append(new LongWritable(1700000000000L + i), new BytesWritable(body));
                        if (i % 8 == 7)
                            writer.sync();
                    }
                }
            }
            // As HDFSCompressedDataStream: finished at each flush.
            String file = "stream_" + name;
            try (FSDataOutputStream out = files.create(new Path(directory, file))) {
                CompressionCodec codec = codec(name);
                CompressionOutputStream stream = codec.createOutputStream(out, codec.createCompressor());
                for (int i = 0; i < 20; i++) {
                    stream.write(("event " + i + "\n").getBytes());
                    if (i % 8 == 7) {
                        stream.finish();
                        stream.resetState();
                    }
                }
                stream.finish();
            }
        }
    }

    public static void main(String[] words) throws Exception {
        for (String word : Arrays.copyOfRange(words, 1, words.length)) {
            if (words[0].equals("sequence"))
                sequence(word);
            else if (words[0].equals("text"))
                text(word);
            else
                write(word);
        }
    }
}
