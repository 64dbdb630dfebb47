CREATE TABLE "alert_deliveries" (
	"notice_id" uuid NOT NULL,
	"sink" text NOT NULL,
	"state" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"at" timestamp with time zone,
	CONSTRAINT "alert_deliveries_notice_id_sink_pk" PRIMARY KEY("notice_id","sink")
);
--> statement-breakpoint
CREATE TABLE "alert_notices" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"severity" text NOT NULL,
	"subject" text,
	"event" text NOT NULL,
	"value" double precision,
	"threshold" double precision NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"episode" timestamp with time zone NOT NULL,
	"summary" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "alert_states" (
	"name" text NOT NULL,
	"subject" text NOT NULL,
	"state" text NOT NULL,
	"value" double precision,
	"since" timestamp with time zone,
	"episode" timestamp with time zone,
	CONSTRAINT "alert_states_name_subject_pk" PRIMARY KEY("name","subject")
);
--> statement-breakpoint
CREATE TABLE "gateway_reports" (
	"instance" uuid PRIMARY KEY NOT NULL,
	"counts" json NOT NULL,
	"reported_at" timestamp with time zone DEFAULT now() NOT NULL,
	"evaluated_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "alert_deliveries" ADD CONSTRAINT "alert_deliveries_notice_id_alert_notices_id_fk" FOREIGN KEY ("notice_id") REFERENCES "public"."alert_notices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "alert_deliveries_pending" ON "alert_deliveries" USING btree ("notice_id") WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX "alert_notices_at" ON "alert_notices" USING btree ("at","id");--> statement-breakpoint
CREATE INDEX "dead_letters_waiting" ON "dead_letters" USING btree ("topic","created_at") WHERE state IN ('dead', 'redriving');--> statement-breakpoint
-- Last, because every cycle of a runner waits from here on until all is committed, and an index may take long. Behind a long
-- transaction it gives up, and is run once more.
SET LOCAL lock_timeout = '10s';--> statement-breakpoint
ALTER TABLE "topic_status" ADD COLUMN "moves" integer DEFAULT 0 NOT NULL;
