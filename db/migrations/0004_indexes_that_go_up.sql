DROP INDEX "dead_letters_timestamp";--> statement-breakpoint
DROP INDEX "dead_letters_topic";--> statement-breakpoint
DROP INDEX "error_logs_service";--> statement-breakpoint
DROP INDEX "error_logs_occurred";--> statement-breakpoint
DROP INDEX "messages_timestamp";--> statement-breakpoint
DROP INDEX "messages_topic_timestamp";--> statement-breakpoint
DROP INDEX "notifications_recipient";--> statement-breakpoint
DROP INDEX "notifications_occurred";--> statement-breakpoint
DROP INDEX "system_metrics_name";--> statement-breakpoint
DROP INDEX "system_metrics_occurred";--> statement-breakpoint
DROP INDEX "user_activities_user";--> statement-breakpoint
DROP INDEX "user_activities_occurred";--> statement-breakpoint
CREATE INDEX "dead_letters_timestamp" ON "dead_letters" USING btree ("timestamp","id");--> statement-breakpoint
CREATE INDEX "dead_letters_topic" ON "dead_letters" USING btree ("topic","timestamp","id");--> statement-breakpoint
CREATE INDEX "error_logs_service" ON "error_logs" USING btree ("service","occurred_at","id");--> statement-breakpoint
CREATE INDEX "error_logs_occurred" ON "error_logs" USING btree ("occurred_at","id");--> statement-breakpoint
CREATE INDEX "messages_timestamp" ON "messages" USING btree ("timestamp","id");--> statement-breakpoint
CREATE INDEX "messages_topic_timestamp" ON "messages" USING btree ("topic","timestamp","id");--> statement-breakpoint
CREATE INDEX "notifications_recipient" ON "notifications" USING btree ("recipient","occurred_at","id");--> statement-breakpoint
CREATE INDEX "notifications_occurred" ON "notifications" USING btree ("occurred_at","id");--> statement-breakpoint
CREATE INDEX "system_metrics_name" ON "system_metrics" USING btree ("source","name","occurred_at","id");--> statement-breakpoint
CREATE INDEX "system_metrics_occurred" ON "system_metrics" USING btree ("occurred_at","id");--> statement-breakpoint
CREATE INDEX "user_activities_user" ON "user_activities" USING btree ("user_id","occurred_at","id");--> statement-breakpoint
CREATE INDEX "user_activities_occurred" ON "user_activities" USING btree ("occurred_at","id");