import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * A peer: Kafka Streams as its documentation writes it, a reduce by key into a RocksDB store, with default settings.
 *
 * <p>Run as {@code java StockSum BOOTSTRAP GROUP TOPICS EVENTS FOLDER at_least_once|exactly_once_v2}; it stops in
 * order, which commits, after so many records.
 */
public final class StockSum {
  private static final Map<String, Integer> SIGN =
      Map.of("received", 1, "returned", 1, "adjusted", 1, "shipped", -1, "scrapped", -1);
  private static final ObjectMapper JSON = new ObjectMapper();

  private StockSum() {}

  public static void main(String[] args) throws InterruptedException {
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[5]);
    long events = Long.parseLong(args[3]);
    AtomicLong handled = new AtomicLong();
    CountDownLatch done = new CountDownLatch(1);

    StreamsBuilder builder = new StreamsBuilder();
    builder
        .stream(List.of(args[2].split(",")), Consumed.with(Serdes.String(), Serdes.ByteArray()))
        .mapValues(
            raw -> {
              if (handled.incrementAndGet() == events) {
                done.countDown();
              }
              return change(raw);
            })
        .groupByKey(Grouped.with(Serdes.String(), Serdes.Double()))
        .reduce(
            Double::sum, Materialized.<String, Double, KeyValueStore<Bytes, byte[]>>as("stock"));

    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    Runtime.getRuntime().addShutdownHook(new Thread(done::countDown));
    streams.start();
    done.await();
    streams.close();
  }

  /** The change of what is on hand; events of orders and shipments are counted. */
  private static double change(byte[] raw) {
    JsonNode event;
    try {
      event = JSON.readTree(raw);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    if (!event.has("site")) {
      return 1;
    }
    double quantity = event.get("quantity").asDouble();
    String type = event.get("type").asText();
    if (type.equals("moved")) {
      return event.get("direction").asText().equals("in") ? quantity : -quantity;
    }
    return SIGN.getOrDefault(type, 0) * quantity;
  }
}
