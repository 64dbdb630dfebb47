CREATE TABLE "blocked_keys" (
	"group_id" text NOT NULL,
	"key_hash" "bytea" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "blocked_keys_group_id_key_hash_pk" PRIMARY KEY("group_id","key_hash")
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"subject" text NOT NULL,
	"route" text NOT NULL,
	"key" text NOT NULL,
	"body_hash" "bytea" NOT NULL,
	"records" json NOT NULL,
	"timestamp" timestamp with time zone NOT NULL,
	"status" integer,
	"answer" json,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_subject_route_key_pk" PRIMARY KEY("subject","route","key")
);
--> statement-breakpoint
ALTER TABLE "dead_letters" ADD COLUMN "edited_value" "bytea";--> statement-breakpoint
ALTER TABLE "dead_letters" ADD COLUMN "origin" json;--> statement-breakpoint
ALTER TABLE "dead_letters" ADD COLUMN "requested_by" text;--> statement-breakpoint
ALTER TABLE "function_states" ADD COLUMN "recent" json;--> statement-breakpoint
ALTER TABLE "outbox" ADD COLUMN "refused_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "outbox" ADD COLUMN "refusal" text;--> statement-breakpoint
CREATE INDEX "idempotency_keys_created" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "dead_letters_redriving" ON "dead_letters" USING btree ("group_id","partition","offset") WHERE state = 'redriving';--> statement-breakpoint
CREATE INDEX "dead_letters_key" ON "dead_letters" USING btree ("group_id",sha256(key),"partition","offset") WHERE state IN ('dead', 'redriving') AND key IS NOT NULL;--> statement-breakpoint
CREATE INDEX "dead_letters_resolved" ON "dead_letters" USING btree ("resolved_at") WHERE resolved_at IS NOT NULL;