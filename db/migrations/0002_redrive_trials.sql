CREATE TABLE "redrive_trials" (
	"dead_letter_id" uuid PRIMARY KEY NOT NULL,
	"starts" integer NOT NULL
);
