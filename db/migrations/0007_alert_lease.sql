ALTER TABLE "gateway_reports" ADD COLUMN "sees_kafka" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "gateway_reports" ADD COLUMN "leads_until" timestamp with time zone;