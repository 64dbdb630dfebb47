package bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * Makes of a record the row of a table, which the sink then writes. The transforms that come with Kafka and Debezium cannot:
 * JsonConverter takes an object of any fields only without a schema, and the sink wants one; none gives an object as text;
 * none names the type of a column, and without the name UNNEST has `text[]`, which PostgreSQL does not put into a uuid. One
 * step in place of a chain of six is less work as well.
 */
public abstract class Rows implements Transformation<SinkRecord> {
  // Names that the sink knows the types of columns by.
  private static final Schema UUID = SchemaBuilder.string().name("io.debezium.data.Uuid").build();
  private static final Schema TIME = SchemaBuilder.string().name("io.debezium.time.ZonedTimestamp").build();
  private static final Schema JSON = SchemaBuilder.string().name("io.debezium.data.Json").build();
  private static final Schema JSONB =
      SchemaBuilder.string().name("io.debezium.data.Json").parameter("__debezium.source.column.type", "JSONB").build();
  private static final ObjectMapper MAPPER = new ObjectMapper();

  abstract Struct toRow(SinkRecord record) throws IOException;

  @Override
  public SinkRecord apply(SinkRecord record) {
    try {
      Struct row = toRow(record);
      return record.newRecord(record.topic(), record.kafkaPartition(), null, null, row.schema(), row, record.timestamp());
    } catch (IOException error) {
      throw new DataException("The value is not JSON", error);
    }
  }

  @Override
  public ConfigDef config() {
    return new ConfigDef();
  }

  @Override
  public void configure(Map<String, ?> settings) {}

  @Override
  public void close() {}

  private static String idOf(SinkRecord record) {
    return (String) record.headers().lastWithName("id").value();
  }

  private static String timeOf(SinkRecord record) {
    return Instant.ofEpochMilli(record.timestamp()).toString();
  }

  /** A row of `messages`. */
  public static class Message extends Rows {
    private static final Schema ROW = SchemaBuilder.struct()
        .field("topic", Schema.STRING_SCHEMA)
        .field("id", UUID)
        .field("partition", Schema.INT32_SCHEMA)
        .field("offset", Schema.INT64_SCHEMA)
        .field("key", Schema.OPTIONAL_STRING_SCHEMA)
        .field("value", JSON)
        .field("headers", JSON)
        .field("timestamp", TIME)
        .build();

    @Override
    Struct toRow(SinkRecord record) {
      ObjectNode headers = MAPPER.createObjectNode();
      for (Header header : record.headers()) headers.put(header.key(), (String) header.value());
      return new Struct(ROW)
          .put("topic", "user-activities")
          .put("id", idOf(record))
          .put("partition", record.kafkaPartition())
          .put("offset", record.kafkaOffset())
          .put("key", record.key())
          .put("value", new String((byte[]) record.value(), StandardCharsets.UTF_8))
          .put("headers", headers.toString())
          .put("timestamp", timeOf(record));
    }
  }

  /** A row of `user_activities`. */
  public static class Activity extends Rows {
    private static final Schema ROW = SchemaBuilder.struct()
        .field("id", UUID)
        .field("user_id", Schema.STRING_SCHEMA)
        .field("action", Schema.STRING_SCHEMA)
        .field("metadata", JSONB)
        .field("occurred_at", TIME)
        .build();

    @Override
    Struct toRow(SinkRecord record) throws IOException {
      JsonNode event = MAPPER.readTree((byte[]) record.value());
      JsonNode metadata = event.get("metadata");
      JsonNode time = event.get("timestamp");
      return new Struct(ROW)
          .put("id", idOf(record))
          .put("user_id", event.get("userId").textValue())
          .put("action", event.get("action").textValue())
          .put("metadata", metadata == null ? "{}" : metadata.toString())
          .put("occurred_at", time == null ? timeOf(record) : time.textValue());
    }
  }
}
