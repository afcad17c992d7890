// Stands in for Hadoop's class of this name, which needs libhadoop: the same streams of zstd frames, by zstd-jni. Before Hadoop's jars
// on the class path.
package org.apache.hadoop.io.compress;

import com.github.luben.zstd.ZstdInputStream;
import com.github.luben.zstd.ZstdOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

public class ZStandardCodec implements CompressionCodec {
    private static class Out extends CompressionOutputStream {
        private ZstdOutputStream frame;

        Out(OutputStream out) {
            super(out);
        }
        private ZstdOutputStream frame() throws IOException {
            if (frame == null)
                frame = new ZstdOutputStream(new FilterOutputStream(out) {
                    public void write(byte[] bytes, int at, int length) throws IOException {
                        out.write(bytes, at, length);
                    }
                    public void close() {}
                });
            return frame;
        }
        public void write(int one) throws IOException {
            frame().write(one);
        }
        public void write(byte[] bytes, int at, int length) throws IOException {
            frame().write(bytes, at, length);
        }
        public void finish() throws IOException {
            frame().close();
            frame = null;
        }
        public void resetState() {
            frame = null;
        }
    }

    private static class In extends CompressionInputStream {
        private ZstdInputStream frames;

        In(InputStream in) throws IOException {
            super(in);
        }
        private ZstdInputStream frames() throws IOException {
            if (frames == null)
                frames = new ZstdInputStream(in);
            return frames;
        }
        public int read() throws IOException {
            return frames().read();
        }
        public int read(byte[] bytes, int at, int length) throws IOException {
            return frames().read(bytes, at, length);
        }
        public void resetState() {
            frames = null;
        }
    }

    public CompressionOutputStream createOutputStream(OutputStream out) {
        return new Out(out);
    }
    public CompressionOutputStream createOutputStream(OutputStream out, Compressor compressor) {
        return new Out(out);
    }
    public Class<? extends Compressor> getCompressorType() {
        return null;
    }
    public Compressor createCompressor() {
        return null;
    }
    public CompressionInputStream createInputStream(InputStream in) throws IOException {
        return new In(in);
    }
    public CompressionInputStream createInputStream(InputStream in, Decompressor decompressor) throws IOException {
        return new In(in);
    }
    public Class<? extends Decompressor> getDecompressorType() {
        return null;
    }
    public Decompressor createDecompressor() {
        return null;
    }
    public String getDefaultExtension() {
        return ".zst";
    }
}
