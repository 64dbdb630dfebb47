CREATE TABLE "audit" (
	"id" uuid PRIMARY KEY NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"operator" text,
	"action" text NOT NULL,
	"topic" text,
	"details" jsonb NOT NULL,
	"request_id" text
);
--> statement-breakpoint
CREATE INDEX "audit_at" ON "audit" USING btree ("at","id");--> statement-breakpoint
-- Every cycle of a runner waits for this: behind a long transaction it gives up, and is run once more.
SET LOCAL lock_timeout = '10s';--> statement-breakpoint
ALTER TABLE "topic_status" ADD COLUMN "moves" integer DEFAULT 0 NOT NULL;
