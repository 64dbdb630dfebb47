-- Whoever reads or writes dead letters waits for this: behind a long transaction it gives up, and is run once more.
SET LOCAL lock_timeout = '10s';--> statement-breakpoint
ALTER TABLE "dead_letters" DROP CONSTRAINT "dead_letters_event";--> statement-breakpoint
ALTER TABLE "dead_letters" ADD CONSTRAINT "dead_letters_event" UNIQUE("event_id","group_id","topic");
