/** Topic and group names as Kafka knows them. Outside this room topics are without TOPIC_PREFIX. */
export interface TopicNames {
  toKafkaTopic(topic: string): string
  /** Undefined for a topic that is not ours. */
  toTopic(kafkaTopic: string): string | undefined
}

/** Builds the names under a prefix, which may be empty. */
export function createTopicNames(prefix: string): TopicNames {
  return {
    toKafkaTopic: topic => prefix + topic,
    toTopic: kafkaTopic => (kafkaTopic.startsWith(prefix) ? kafkaTopic.slice(prefix.length) : undefined)
  }
}
