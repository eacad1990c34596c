BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'small');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MINIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_heartbeats" VALUES(1,1,'2026-11-30 05:57:28');
INSERT INTO "trial_heartbeats" VALUES(2,2,'2026-11-30 05:57:28');
INSERT INTO "trial_heartbeats" VALUES(3,3,'2026-11-30 05:57:28');
INSERT INTO "trial_heartbeats" VALUES(4,4,'2026-11-30 05:57:29');
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'fixed_params','{"cell": "762d51eea9c730d5f310"}');
INSERT INTO "trial_system_attributes" VALUES(2,2,'fixed_params','{"cell": "92f702d1d12c4d29a802"}');
INSERT INTO "trial_system_attributes" VALUES(3,3,'fixed_params','{"cell": "3d1f489e496d45616188"}');
INSERT INTO "trial_system_attributes" VALUES(4,4,'fixed_params','{"cell": "4e534ae1a84c8d9c1e01"}');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'key','"762d51eea9c730d5f310"');
INSERT INTO "trial_user_attributes" VALUES(2,1,'task','"adding"');
INSERT INTO "trial_user_attributes" VALUES(3,1,'variant','"lstm"');
INSERT INTO "trial_user_attributes" VALUES(4,1,'config','{"task": {"class": "byhand.tasks.adding.Adding", "arguments": {"length": 4, "batch_size": 4, "batches": 5, "sequences": 16, "seed": 0}}, "settings": {"cell": "lstm", "hidden_size": 2, "num_layers": 1, "dropout": 0.0, "bidirectional": false, "proj_size": 0, "forget_bias": 1.0, "gate_biases": null, "init_range": 0.0, "squash": "none", "embedding_size": 0, "optimiser": "adam", "learning_rate": 0.02, "weight_decay": 0.0, "schedule": "constant", "warmup": 0, "clip": 1.0, "tbptt_steps": 0}, "training": {"max_steps": 5, "max_epochs": null, "validate_every": 1, "trainer": null}, "seed": 0, "byhand": "0.1.0"}');
INSERT INTO "trial_user_attributes" VALUES(5,2,'key','"92f702d1d12c4d29a802"');
INSERT INTO "trial_user_attributes" VALUES(6,2,'task','"adding"');
INSERT INTO "trial_user_attributes" VALUES(7,2,'variant','"no forget gate"');
INSERT INTO "trial_user_attributes" VALUES(8,2,'config','{"task": {"class": "byhand.tasks.adding.Adding", "arguments": {"length": 4, "batch_size": 4, "batches": 5, "sequences": 16, "seed": 0}}, "settings": {"cell": "no_forget_gate(lstm)", "hidden_size": 2, "num_layers": 1, "dropout": 0.0, "bidirectional": false, "proj_size": 0, "forget_bias": 1.0, "gate_biases": null, "init_range": 0.0, "squash": "none", "embedding_size": 0, "optimiser": "adam", "learning_rate": 0.02, "weight_decay": 0.0, "schedule": "constant", "warmup": 0, "clip": 1.0, "tbptt_steps": 0}, "training": {"max_steps": 5, "max_epochs": null, "validate_every": 1, "trainer": null}, "seed": 0, "byhand": "0.1.0"}');
INSERT INTO "trial_user_attributes" VALUES(9,3,'key','"3d1f489e496d45616188"');
INSERT INTO "trial_user_attributes" VALUES(10,3,'task','"adding"');
INSERT INTO "trial_user_attributes" VALUES(11,3,'variant','"lstm"');
INSERT INTO "trial_user_attributes" VALUES(12,3,'config','{"task": {"class": "byhand.tasks.adding.Adding", "arguments": {"length": 4, "batch_size": 4, "batches": 5, "sequences": 16, "seed": 1}}, "settings": {"cell": "lstm", "hidden_size": 2, "num_layers": 1, "dropout": 0.0, "bidirectional": false, "proj_size": 0, "forget_bias": 1.0, "gate_biases": null, "init_range": 0.0, "squash": "none", "embedding_size": 0, "optimiser": "adam", "learning_rate": 0.02, "weight_decay": 0.0, "schedule": "constant", "warmup": 0, "clip": 1.0, "tbptt_steps": 0}, "training": {"max_steps": 5, "max_epochs": null, "validate_every": 1, "trainer": null}, "seed": 1, "byhand": "0.1.0"}');
INSERT INTO "trial_user_attributes" VALUES(13,4,'key','"4e534ae1a84c8d9c1e01"');
INSERT INTO "trial_user_attributes" VALUES(14,4,'task','"adding"');
INSERT INTO "trial_user_attributes" VALUES(15,4,'variant','"no forget gate"');
INSERT INTO "trial_user_attributes" VALUES(16,4,'config','{"task": {"class": "byhand.tasks.adding.Adding", "arguments": {"length": 4, "batch_size": 4, "batches": 5, "sequences": 16, "seed": 1}}, "settings": {"cell": "no_forget_gate(lstm)", "hidden_size": 2, "num_layers": 1, "dropout": 0.0, "bidirectional": false, "proj_size": 0, "forget_bias": 1.0, "gate_biases": null, "init_range": 0.0, "squash": "none", "embedding_size": 0, "optimiser": "adam", "learning_rate": 0.02, "weight_decay": 0.0, "schedule": "constant", "warmup": 0, "clip": 1.0, "tbptt_steps": 0}, "training": {"max_steps": 5, "max_epochs": null, "validate_every": 1, "trainer": null}, "seed": 1, "byhand": "0.1.0"}');
INSERT INTO "trial_user_attributes" VALUES(17,1,'worker','"host:e5875578e780"');
INSERT INTO "trial_user_attributes" VALUES(18,1,'result','{"metrics": {"test_mse": 0.16884258086793125, "val_mse": 0.5752409098204225}, "steps": 5, "seconds": 0.1, "took": 0.003820448000169563, "torch": "2.13.0+cpu", "threads": 1, "host": "host"}');
INSERT INTO "trial_user_attributes" VALUES(19,1,'ended','1796018248.57532');
INSERT INTO "trial_user_attributes" VALUES(20,2,'worker','"host:e5875578e780"');
INSERT INTO "trial_user_attributes" VALUES(21,2,'result','{"metrics": {"test_mse": 0.17766262171790004, "val_mse": 0.7628552918322384}, "steps": 5, "seconds": 0.1, "took": 0.0003155100000640232, "torch": "2.13.0+cpu", "threads": 1, "host": "host"}');
INSERT INTO "trial_user_attributes" VALUES(22,2,'ended','1796018248.8036213');
INSERT INTO "trial_user_attributes" VALUES(23,3,'worker','"host:e5875578e780"');
INSERT INTO "trial_user_attributes" VALUES(24,3,'result','{"metrics": {"test_mse": 0.7662653848528862, "val_mse": 0.48563095461577177}, "steps": 5, "seconds": 0.1, "took": 0.00028284199993322545, "torch": "2.13.0+cpu", "threads": 1, "host": "host"}');
INSERT INTO "trial_user_attributes" VALUES(25,3,'ended','1796018249.003767');
INSERT INTO "trial_user_attributes" VALUES(26,4,'worker','"host:e5875578e780"');
INSERT INTO "trial_user_attributes" VALUES(27,4,'result','{"metrics": {"test_mse": 0.6607667775824666, "val_mse": 0.2777282502502203}, "steps": 5, "seconds": 0.1, "took": 0.0003035019999515498, "torch": "2.13.0+cpu", "threads": 1, "host": "host"}');
INSERT INTO "trial_user_attributes" VALUES(28,4,'ended','1796018249.207828');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,1.68842580867931246757e-01,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,1.77662621717900037765e-01,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,7.66265384852886199951e-01,'FINITE');
INSERT INTO "trial_values" VALUES(4,4,0,6.60766777582466602325e-01,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-30 05:57:28.509218','2026-11-30 05:57:28.637647');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-30 05:57:28.736555','2026-11-30 05:57:28.857041');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-30 05:57:28.940658','2026-11-30 05:57:29.064984');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-30 05:57:29.144627','2026-11-30 05:57:29.273108');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
