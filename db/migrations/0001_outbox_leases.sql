CREATE TABLE "outbox_leases" (
	"topic" text NOT NULL,
	"partition" integer NOT NULL,
	"owner" uuid NOT NULL,
	"until" timestamp with time zone NOT NULL,
	CONSTRAINT "outbox_leases_topic_partition_pk" PRIMARY KEY("topic","partition")
);
