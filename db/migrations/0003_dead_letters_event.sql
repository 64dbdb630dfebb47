ALTER TABLE "dead_letters" DROP CONSTRAINT "dead_letters_event";--> statement-breakpoint
ALTER TABLE "dead_letters" ADD CONSTRAINT "dead_letters_event" UNIQUE("event_id","group_id","topic");