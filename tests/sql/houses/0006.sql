BEGIN TRANSACTION;
CREATE TABLE addresses (
	id TEXT NOT NULL, 
	person TEXT NOT NULL, 
	failures INTEGER NOT NULL, 
	failing_since BIGINT NOT NULL, 
	paused_until BIGINT NOT NULL, 
	why TEXT NOT NULL, 
	CONSTRAINT pk_addresses PRIMARY KEY (id)
);
INSERT INTO "addresses" VALUES('address','Kim',2,1790000000000000,1790000900000000,'refused');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0006');
CREATE TABLE alerts (
	"key" TEXT NOT NULL, 
	model TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	sentence TEXT NOT NULL, 
	owner TEXT, 
	head TEXT, 
	raised_at BIGINT NOT NULL, 
	delivered_at BIGINT, ended TEXT, 
	CONSTRAINT pk_alerts PRIMARY KEY ("key")
);
INSERT INTO "alerts" VALUES('a1','spends','warning','it slipped','Kim',NULL,1790000000000000,NULL,NULL);
CREATE TABLE approvals (
	decision TEXT NOT NULL, 
	model TEXT NOT NULL, 
	action TEXT NOT NULL, 
	asked_at BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	"by" TEXT, 
	reason TEXT, 
	answered_at BIGINT, 
	CONSTRAINT pk_approvals PRIMARY KEY (decision)
);
INSERT INTO "approvals" VALUES('d1','spends','retrain',1790000000000000,'waiting',NULL,NULL,NULL);
CREATE TABLE errands (
	id TEXT NOT NULL, 
	verb TEXT NOT NULL, 
	model TEXT NOT NULL, 
	now BIGINT NOT NULL, 
	cause TEXT NOT NULL, 
	state TEXT NOT NULL, 
	asked_at BIGINT NOT NULL, 
	done_at BIGINT, 
	said TEXT, 
	taken INTEGER NOT NULL, holder TEXT, fence INTEGER DEFAULT '0' NOT NULL, takeovers INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_errands PRIMARY KEY (id)
);
INSERT INTO "errands" VALUES('e1','turn','spends',1790000000000000,'schedule','waiting',1790000000000000,NULL,NULL,1,NULL,0,0);
INSERT INTO "errands" VALUES('e2','score','spends',1790000000000000,'schedule','done',1790000000000000,1790000000100000,'{"answers":6}',1,NULL,0,0);
CREATE TABLE facts (
	model TEXT NOT NULL, 
	name TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_facts PRIMARY KEY (model, name, at)
);
INSERT INTO "facts" VALUES('spends','answering',1788998400000000,'{}');
INSERT INTO "facts" VALUES('','salt',0,'{"salt":"73d3d988d289f3336cd748175fe92531"}');
INSERT INTO "facts" VALUES('spends','answered until',1788998400000000,'{"answers":6,"through":0}');
INSERT INTO "facts" VALUES('spends','answering',1789084800000000,'{}');
INSERT INTO "facts" VALUES('spends','answered until',1789084800000000,'{"answers":6,"through":0}');
INSERT INTO "facts" VALUES('spends','answering',1789171200000000,'{}');
INSERT INTO "facts" VALUES('spends','answered until',1789171200000000,'{"answers":6,"through":0}');
INSERT INTO "facts" VALUES('spends','learnt 4d01f99118134e12',1788998400000000,'{"habit":[{"counts":{"answers":"8:eNpjYIABRijJiMLHBRjReAABNAAH","orders_amount_total_last_7d":"8:eNpjYGCEQhBAJqkBAAJcAAc="},"first_at":1788220800000000,"last_at":1788220800000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,2071986176,9.0,98.0],"orders_amount_total_last_7d":[0,0,517996544,9.0,98.0]},"unseen":{}},{"counts":{"answers":"8:eNpjYCAEGJFoRiQ+qhwAAMgABw==","orders_amount_total_last_7d":"8:eNpjYIABRiCE0DCSES5DLgAAAhIABw=="},"first_at":1788307200000000,"last_at":1788307200000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,3472883712,49.0,98.0],"orders_amount_total_last_7d":[0,0,1386217472,65.0,171.0]},"unseen":{}},{"counts":{"answers":"8:eNpjYIAARihmQKIZ4HxGJDZ2AAABVgAH","orders_amount_total_last_7d":"8:eNpjYEAFjHCSEUMEIUYsAAAB2gAH"},"first_at":1788393600000000,"last_at":1788393600000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,1786773504,4.0,63.0],"orders_amount_total_last_7d":[0,0,1832910848,74.0,219.0]},"unseen":{}},{"counts":{"answers":"8:eNpjYGBkwAUY8fAQIoxgDAAA7AAH","orders_amount_total_last_7d":"8:eNpjYMANGKEYwQOR6CL4AAABjgAH"},"first_at":1788480000000000,"last_at":1788480000000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,3019898880,1.0,98.0],"orders_amount_total_last_7d":[0,0,2587885568,156.0,282.0]},"unseen":{}},{"counts":{"answers":"8:eNpjYIAARiQSGx8ToKoFAAEuAAc=","orders_amount_total_last_7d":"8:eNpjYMAHGNFoZHFUOUas+gEBVAAH"},"first_at":1788566400000000,"last_at":1788566400000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,2164260864,4.0,93.0],"orders_amount_total_last_7d":[0,0,3128950784,160.0,312.0]},"unseen":{}},{"counts":{"answers":"8:eNpjYGBgYARDXIARjwiCBQABUgAH","orders_amount_total_last_7d":"8:eNpjYCAeMCLRjCgiqGwECwABHgAH"},"first_at":1788652800000000,"last_at":1788652800000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,1778384896,2.0,84.0],"orders_amount_total_last_7d":[0,0,3573547008,209.0,380.0]},"unseen":{}},{"counts":{"answers":"8:eNpjYMAGGIEQXQSZhSkLAAD0AAc=","orders_amount_total_last_7d":"8:eNpjYKAMMCKRCBFGMGRgAAAAsgAH"},"first_at":1788825600000000,"last_at":1788825600000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,2927624192,29.0,98.0],"orders_amount_total_last_7d":[0,0,4492099584,291.0,396.0]},"unseen":{}},{"counts":{"answers":"8:eNpjYMAGGIEQxkIWxaYSQgIAAPgABw==","orders_amount_total_last_7d":"8:eNpjYKAcMEFpRjBEAEYGAADEAAc="},"first_at":1788912000000000,"last_at":1788912000000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,2919235584,29.0,98.0],"orders_amount_total_last_7d":[0,0,4353687552,301.0,423.0]},"unseen":{}}],"profile":{"counts":{"answers":"8:eNpjYGAEQ2YoDYFMSHwmHDQym5UBAAayADE=","orders_amount_total_last_7d":"8:eNpjYGDECZnwyBGnDgAJLAAx"},"first_at":1788220800000000,"last_at":1788912000000000,"rows":48,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,20141047808,1.0,98.0],"orders_amount_total_last_7d":[0,0,21873295360,9.0,423.0]},"unseen":{}},"seasons":[{"names":["Friday","working day"],"profile":{"counts":{"answers":"8:eNpjYGBkwAUY8fAQIoxgDAAA7AAH","orders_amount_total_last_7d":"8:eNpjYMANGKEYwQOR6CL4AAABjgAH"},"first_at":1788480000000000,"last_at":1788480000000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,3019898880,1.0,98.0],"orders_amount_total_last_7d":[0,0,2587885568,156.0,282.0]},"unseen":{}},"windows":1},{"names":["Saturday","weekend"],"profile":{"counts":{"answers":"8:eNpjYIAARiQSGx8ToKoFAAEuAAc=","orders_amount_total_last_7d":"8:eNpjYMAHGNFoZHFUOUas+gEBVAAH"},"first_at":1788566400000000,"last_at":1788566400000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,2164260864,4.0,93.0],"orders_amount_total_last_7d":[0,0,3128950784,160.0,312.0]},"unseen":{}},"windows":1},{"names":["Sunday","weekend"],"profile":{"counts":{"answers":"8:eNpjYGBgYARDXIARjwiCBQABUgAH","orders_amount_total_last_7d":"8:eNpjYCAeMCLRjCgiqGwECwABHgAH"},"first_at":1788652800000000,"last_at":1788652800000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,1778384896,2.0,84.0],"orders_amount_total_last_7d":[0,0,3573547008,209.0,380.0]},"unseen":{}},"windows":1},{"names":["Thursday","working day"],"profile":{"counts":{"answers":"8:eNpjYIAARihmQKIZ4HxGJDZ2AAABVgAH","orders_amount_total_last_7d":"8:eNpjYEAFjHCSEUMEIUYsAAAB2gAH"},"first_at":1788393600000000,"last_at":1788393600000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,1786773504,4.0,63.0],"orders_amount_total_last_7d":[0,0,1832910848,74.0,219.0]},"unseen":{}},"windows":1},{"names":["Tuesday","working day"],"profile":{"counts":{"answers":"8:eNpjYIABRijJCCUZGZABIwoLXZaJAQAB4AAN","orders_amount_total_last_7d":"8:eNpjYGCEQhBAJokDmDoYwRhiIgACsAAN"},"first_at":1788220800000000,"last_at":1788825600000000,"rows":12,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,4999610368,9.0,98.0],"orders_amount_total_last_7d":[0,0,5010096128,9.0,396.0]},"unseen":{}},"windows":2},{"names":["Wednesday","working day"],"profile":{"counts":{"answers":"8:eNpjYMAGGIEQG4sRTGOqY2IAAAF4AA0=","orders_amount_total_last_7d":"8:eNpjYIABRiCE0DCSES6DHzAhmYCslpEBAAJ4AA0="},"first_at":1788307200000000,"last_at":1788912000000000,"rows":12,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,6392119296,29.0,98.0],"orders_amount_total_last_7d":[0,0,5739905024,65.0,423.0]},"unseen":{}},"windows":2}],"spec":{"answers":{"edges":[1.0,1.0000000000000002,2.0,2.0000000000000004,3.0,3.0000000000000004,4.0,4.000000000000001,9.0,9.000000000000002,13.0,13.000000000000002,14.0,14.000000000000002,16.0,16.000000000000004,18.0,18.000000000000004,27.0,27.000000000000004,29.0,29.000000000000004,30.0,30.000000000000004,33.0,33.00000000000001,35.0,35.00000000000001,41.0,41.00000000000001,45.0,45.00000000000001,49.0,49.00000000000001,50.0,50.00000000000001,56.0,56.00000000000001,57.0,57.00000000000001,58.0,58.00000000000001,59.0,59.00000000000001,61.0,61.00000000000001,63.0,63.00000000000001,64.0,64.00000000000001,70.0,70.00000000000001,71.0,71.00000000000001,73.0,73.00000000000001,76.0,76.00000000000001,78.0,78.00000000000001,84.0,84.00000000000001,87.0,87.00000000000001,90.0,90.00000000000001,93.0,93.00000000000001,98.0,98.00000000000001],"kind":"number","rest":[],"top":[]},"orders_amount_total_last_7d":{"edges":[9.0,9.000000000000002,16.0,16.000000000000004,18.0,18.000000000000004,33.0,33.00000000000001,65.0,65.00000000000001,70.0,70.00000000000001,73.0,73.00000000000001,74.0,74.00000000000001,82.0,82.00000000000001,98.0,98.00000000000001,109.0,109.00000000000001,117.0,117.00000000000001,121.0,121.00000000000001,156.0,156.00000000000003,160.0,160.00000000000003,164.0,164.00000000000003,167.0,167.00000000000003,171.0,171.00000000000003,178.0,178.00000000000003,184.0,184.00000000000003,187.0,187.00000000000003,209.0,209.00000000000003,219.0,219.00000000000003,220.0,220.00000000000003,225.0,225.00000000000003,248.0,248.00000000000003,266.0,266.00000000000006,268.0,268.00000000000006,280.0,280.00000000000006,282.0,282.00000000000006,283.0,283.00000000000006,291.0,291.00000000000006,296.0,296.00000000000006,301.0,301.00000000000006,310.0,310.00000000000006,312.0,312.00000000000006,316.0,316.00000000000006,324.0,324.00000000000006,363.0,363.00000000000006,364.0,364.00000000000006,369.0,369.00000000000006,380.0,380.00000000000006,382.0,382.00000000000006,394.0,394.00000000000006,396.0,396.00000000000006,423.0,423.00000000000006],"kind":"number","rest":[],"top":[]}}}');
INSERT INTO "facts" VALUES('spends','seen 4d01f99118134e12',1788998400000000,'{"counts":{"answers":"8:eNpjYAABRiQSCTCi0egySOIAATAABw==","orders_amount_total_last_7d":"8:eNpjYCADMGJlwjiMcB4jAADFAAc="},"first_at":1788998400000000,"last_at":1788998400000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,2206203904,3.0,83.0],"orders_amount_total_last_7d":[0,0,4458545152,258.0,432.0]},"unseen":{}}');
INSERT INTO "facts" VALUES('spends','seen 4d01f99118134e12',1789084800000000,'{"counts":{"answers":"8:eNpjYEAFjGCE4OAFUHlGIA0AAPIABw==","orders_amount_total_last_7d":"8:eNpjYCATMGLwmTCkGAEAyQAH"},"first_at":1789084800000000,"last_at":1789084800000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,2919235584,16.0,96.0],"orders_amount_total_last_7d":[0,0,4433379328,274.0,506.0]},"unseen":{}}');
INSERT INTO "facts" VALUES('spends','seen 4d01f99118134e12',1789171200000000,'{"counts":{"answers":"8:eNpjYMALGJFIGGBCVwOSBgAAxwAH","orders_amount_total_last_7d":"8:eNpjYCATMGIRY0KTYgIAALEABw=="},"first_at":1789171200000000,"last_at":1789171200000000,"rows":6,"spec":"010ff9e6026ba259","totals":{"answers":[0,0,3464495104,43.0,93.0],"orders_amount_total_last_7d":[0,0,4758437888,270.0,522.0]},"unseen":{}}');
CREATE TABLE incidents (
	incident TEXT NOT NULL, 
	model TEXT NOT NULL, 
	state TEXT NOT NULL, 
	change INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_incidents PRIMARY KEY (incident)
);
INSERT INTO "incidents" VALUES('inc-1','spends','firing',1,1789182000000000,'{"acknowledged_by":null,"because":"it slipped","by":null,"cause":"data","change":1,"fired_at":"2026-09-12T03:00:00Z","id":"i1","incident":"inc-1","made_at":"2026-09-12T03:00:00Z","made_from":[],"model":"spends","news":false,"opened_at":"2026-09-12T03:00:00Z","reason":null,"resolved_at":null,"severity":"warning","snoozed_until":null,"state":"firing","symptoms":[{"about":null,"also":false,"clause":"slipped(''mae'', by=0.2)","direction":"","kind":"slip","sentence":"it slipped","since":null}],"told_at":null}');
CREATE TABLE journal (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	model TEXT, 
	turn TEXT, 
	verb TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	previous TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	CONSTRAINT pk_journal PRIMARY KEY (seq)
);
INSERT INTO "journal" VALUES(1,'a59818816f9223d7','spends','7be085192ddc7ade','as_of','TrainingSet',1788998400000000,'{"body":"71ee7be2a4879c0f114292eb678ea0389d0adb50a6b1fd91c3aafff95db82271","columns":["orders_amount_total_last_7d"],"first_at":"2026-09-01T00:00:00Z","id":"a59818816f9223d7","immature":6,"judge_from":"2026-09-08T00:00:00Z","judge_rows":12,"last_at":"2026-09-09T00:00:00Z","learn_rows":36,"learn_until":"2026-09-07T00:00:00Z","made_at":"2026-09-10T00:00:00Z","made_from":[],"model":"spends","rows":54,"truths_known_at":"2026-09-10T00:00:00Z","void":0}','0000000000000000000000000000000000000000000000000000000000000000','5585f8af1568608234339204f02e2069bd0ae6d4784850c6009eefc16af55618');
INSERT INTO "journal" VALUES(2,'4d01f99118134e12','spends','7be085192ddc7ade','adopt','Candidate',1788998400000000,'{"artefact":"3a818b2183e9c23675d8e8fa0a2c2fe1b6b92f57b4a592aac2795d82d3895bce","columns":["baseline"],"commit":null,"cpu_seconds":0.0,"definition":"807cd2e45334c52b","dirty":null,"environment":[],"format":"baseline","golden":null,"id":"4d01f99118134e12","knows":[],"learner":"orders.total(''amount'', last=days(1))","learnt_from":null,"learnt_until":null,"made_at":"2026-09-10T00:00:00Z","made_from":["a59818816f9223d7"],"model":"spends","needs":[],"parameters":"{}","rows":36,"seconds":0.0,"seed":0,"shape":{"kind":"number","labels":[],"levels":[],"most":0,"steps":1,"yes_above":null}}','5585f8af1568608234339204f02e2069bd0ae6d4784850c6009eefc16af55618','76097c8ef602b016dbc6f3fe7e1374455a8a5f9686494cdbc00e51fe02784332');
INSERT INTO "journal" VALUES(3,'6e5ba8dd0a783e8f','spends','7be085192ddc7ade','adopt','Version',1788998400000000,'{"candidate":"4d01f99118134e12","id":"6e5ba8dd0a783e8f","made_at":"2026-09-10T00:00:00Z","made_from":["4d01f99118134e12"],"model":"spends","number":0,"verdict":null}','76097c8ef602b016dbc6f3fe7e1374455a8a5f9686494cdbc00e51fe02784332','9b1bce496d5e287376001d906eb902de8391ff19908f92bc525b984adae22aa4');
INSERT INTO "journal" VALUES(4,'97a99841c9efc674','spends','7be085192ddc7ade','adopt','Traffic',1788998400000000,'{"arms":[],"baseline":null,"because":"the baseline answers until something better is proven","candidate":null,"champion":"6e5ba8dd0a783e8f","control":0.0,"generation":1,"id":"97a99841c9efc674","made_at":"2026-09-10T00:00:00Z","made_from":["6e5ba8dd0a783e8f"],"model":"spends","previous":null,"salt":"","share":0.0,"since":"2026-09-10T00:00:00Z","stage":"steady","step":0}','9b1bce496d5e287376001d906eb902de8391ff19908f92bc525b984adae22aa4','be242603938df1f17cd1e17e077e5ff6b9856e30ac70d97f7488db6b182403f8');
INSERT INTO "journal" VALUES(5,'422d3d2e723244f8','spends','b294b5cda4e3aec1','watch','Signals',1789171200000000,'{"beside":[],"confidence":[],"cost":{"bytes_read":41605,"bytes_written":37392,"cpu_seconds":0.084618,"money":null},"followed":[],"fresh":12,"id":"422d3d2e723244f8","lifts":[],"made_at":"2026-09-12T00:00:00Z","made_from":["97a99841c9efc674","97a99841c9efc674"],"model":"spends","signals":[{"about":"6e5ba8dd0a783e8f","as_of":"2026-09-12T00:00:00Z","between":null,"causes":[],"clause":"worse_than_champion()","coverage":0.6666666666666666,"fired":false,"high":null,"kind":"worse","low":null,"measure":"wape","outcome":"not enough evidence","rows":0,"sentence":"no other version answers beside it","since":null,"value":null,"wealth":[]},{"about":null,"as_of":"2026-09-12T00:00:00Z","between":null,"causes":[],"clause":"slipped(''mae'', by=0.2)","coverage":0.6666666666666666,"fired":false,"high":null,"kind":"slip","low":null,"measure":"mae","outcome":"not enough evidence","rows":12,"sentence":"there is no MAE of when it was promoted to compare with; the truth of 66.7 % of 18 answers is known as of 2026-09-12 00:00 UTC, 1 window is immature","since":null,"value":null,"wealth":[]}],"trial":null,"until":"2026-09-12T00:00:00Z"}','be242603938df1f17cd1e17e077e5ff6b9856e30ac70d97f7488db6b182403f8','77e6a7045ec554827b70b6de92aa5532089044b7db1481351fd51afb7bef328a');
INSERT INTO "journal" VALUES(6,'9ab0763fc8592cdc','spends','b294b5cda4e3aec1','decide','Decision',1789171200000000,'{"action":"retrain","asks":null,"because":["somebody asked for it"],"by":null,"cause":"demand","cost":{"bytes_read":121,"bytes_written":0,"cpu_seconds":0.004024,"money":null},"drops":[],"id":"9ab0763fc8592cdc","learn_from":null,"made_at":"2026-09-12T00:00:00Z","made_from":["97a99841c9efc674","422d3d2e723244f8"],"model":"spends"}','77e6a7045ec554827b70b6de92aa5532089044b7db1481351fd51afb7bef328a','ec919a9c7c087c85b0c6c32c03e7197375a0c9b4ed8a9ab7c8a062f91ecfd19f');
INSERT INTO "journal" VALUES(7,'1c5bba58237e9b53',NULL,'b294b5cda4e3aec1','snapshot','Snapshot',1789171200000000,'{"cost":{"bytes_read":12452,"bytes_written":24276,"cpu_seconds":0.007597,"money":null},"extents":[{"rows":72,"source":"orders","through_seq":72,"version":0}],"id":"1c5bba58237e9b53","made_at":"2026-09-12T00:00:00Z","made_from":[]}','ec919a9c7c087c85b0c6c32c03e7197375a0c9b4ed8a9ab7c8a062f91ecfd19f','1d17d54f4a7005aa3a03b899d16353a9502c0ea9ef484c026814fc36024064dc');
INSERT INTO "journal" VALUES(8,'4ac8725f2a81fadc','spends','b294b5cda4e3aec1','check','Report',1789171200000000,'{"cost":{"bytes_read":20901,"bytes_written":280,"cpu_seconds":0.025761,"money":null},"findings":[{"broken":0,"clause":"columns","examples":[],"met":1.0,"outcome":"passed","rows":6,"season":null,"sentence":"In orders, the newest delivery (number 12, 6 rows, 2026-09-11 23:55 UTC) came as declared.","share":1.0,"source":"orders"}],"id":"4ac8725f2a81fadc","made_at":"2026-09-12T00:00:00Z","made_from":["1c5bba58237e9b53"],"model":"spends"}','1d17d54f4a7005aa3a03b899d16353a9502c0ea9ef484c026814fc36024064dc','74d2c9c029405d3752e78b929488978fce667b05496f58fa864a2f4c39de39f2');
INSERT INTO "journal" VALUES(9,'5ad9483a34aac6fe','spends','b294b5cda4e3aec1','as_of','TrainingSet',1789171200000000,'{"body":"a1794ee28aa59c27a4c1c6404d083bd6b2988472b32641c2fcc91d28f3a12364","columns":["orders_amount_total_last_7d"],"cost":{"bytes_read":20901,"bytes_written":3860,"cpu_seconds":0.071359,"money":null},"first_at":"2026-09-01T00:00:00Z","id":"5ad9483a34aac6fe","immature":6,"judge_from":"2026-09-10T00:00:00Z","judge_rows":12,"last_at":"2026-09-11T00:00:00Z","learn_rows":48,"learn_until":"2026-09-09T00:00:00Z","made_at":"2026-09-12T00:00:00Z","made_from":["1c5bba58237e9b53","9ab0763fc8592cdc"],"model":"spends","rows":66,"truths_known_at":"2026-09-12T00:00:00Z","void":0}','74d2c9c029405d3752e78b929488978fce667b05496f58fa864a2f4c39de39f2','9d6030d50588f82bfbc6e8a597cdc9714f0bc33dac535ec7b3b07aea71b3767a');
INSERT INTO "journal" VALUES(10,'3cd858770a54d1b5','spends','b294b5cda4e3aec1','train','Candidate',1789171200000000,'{"artefact":"feb49bdd536128f61811bfe7a6356eafa5482332262d143d02e41d5cc8aebda9","columns":["orders_amount_total_last_7d"],"commit":null,"cost":{"bytes_read":18298704,"bytes_written":4952,"cpu_seconds":0.670139,"money":null},"cpu_seconds":0.66,"definition":"807cd2e45334c52b","dirty":null,"environment":[["python","3.11.7"],["machine","Linux x86_64"],["everloop","0.1.0"],["numpy","2.4.6"],["scipy","1.17.1"],["scikit-learn","1.9.1"],["pyarrow","26.0.1"],["skops","0.16.0"],["lightgbm","4.7.0"],["pandas","3.1.1"],["threadpoolctl","3.8.0"]],"format":"skops","golden":"c9de93aef79576ff723a0af5de66f431527e6195cac5a5d1f4c284c4516fc3e0","id":"3cd858770a54d1b5","knows":["orders.total(''amount'', last=days(7))"],"learner":"<everloop_project_fd5d4962.Little object>","learnt_from":"2026-09-01T00:00:00Z","learnt_until":"2026-09-08T00:00:00Z","made_at":"2026-09-12T00:00:00Z","made_from":["5ad9483a34aac6fe"],"model":"spends","needs":["everloop_project_fd5d4962.Little"],"parameters":"{\"identity\":\"project.Little()\",\"parameters\":{},\"settings\":{}}","rows":48,"seconds":1.093,"seed":1020811383,"shape":{"kind":"number","labels":[],"levels":[],"most":0,"steps":1,"yes_above":null}}','9d6030d50588f82bfbc6e8a597cdc9714f0bc33dac535ec7b3b07aea71b3767a','f2e90cd7a388839dcd4ea2b9d9c5c4bfeef81c530a9e40154fdb7b7ee971c990');
INSERT INTO "journal" VALUES(11,'02afdb1c13ec2478','spends','b294b5cda4e3aec1','rehearse','Contest',1789171200000000,'{"alone":[],"body":"b12c635b46c3e7b7b345536eea29278a62a7d4be0e4befb8cca96993775fd6df","candidate":"3cd858770a54d1b5","champion":"4d01f99118134e12","cost":{"bytes_read":312454,"bytes_written":6704,"cpu_seconds":0.013508,"money":null},"features_read":false,"first_at":"2026-09-10T00:00:00Z","id":"02afdb1c13ec2478","last_at":"2026-09-11T00:00:00Z","lists":[],"made_at":"2026-09-12T00:00:00Z","made_from":["3cd858770a54d1b5","4d01f99118134e12","5ad9483a34aac6fe"],"milliseconds":[],"model":"spends","number":1,"rows":12,"shaken":{"jumped":0.0,"least":1.0519605918459936e-15,"noise":0.008846460353849221,"rows":12},"why_empty":null}','f2e90cd7a388839dcd4ea2b9d9c5c4bfeef81c530a9e40154fdb7b7ee971c990','b6b09f3d2d3cb1ed3407294afc082636a1204fbf41cf4e8a2de97421d49eaa9f');
INSERT INTO "journal" VALUES(12,'6c265f02f978d794','spends','b294b5cda4e3aec1','judge','Verdict',1789171200000000,'{"beside":[{"candidate":0.9944283837056505,"champion":0.7529566360052562,"clause":"beside the seasonal naive forecast","effect":-0.3206980802792322,"high":null,"low":null,"measure":"wape","outcome":"not enough evidence","rows":12,"sentence":"32.1 % worse than the seasonal naive forecast (WAPE 0.753), which proves nothing on 12 questions"},{"candidate":0.9944283837056505,"champion":0.4253613666228646,"clause":"beside the mean of eight weeks","effect":-1.337843682421996,"high":null,"low":null,"measure":"wape","outcome":"not enough evidence","rows":12,"sentence":"133.8 % worse than the mean of eight weeks (WAPE 0.425), which proves nothing on 12 questions"}],"by":null,"candidate":"3cd858770a54d1b5","champion":"4d01f99118134e12","cost":{"bytes_read":6826,"bytes_written":0,"cpu_seconds":0.002268,"money":null},"id":"6c265f02f978d794","made_at":"2026-09-12T00:00:00Z","made_from":["02afdb1c13ec2478"],"model":"spends","opinions":[],"outcome":"passed","reason":null}','b6b09f3d2d3cb1ed3407294afc082636a1204fbf41cf4e8a2de97421d49eaa9f','3ef14a6b8c385035b4ef2d795cdfaba4caa3d4e291f9c36bf4d5063bc904bde2');
INSERT INTO "journal" VALUES(13,'b72eb22693843744','spends','b294b5cda4e3aec1','permit','Decision',1789171200000000,'{"action":"promote","asks":null,"because":["it passed the gate"],"by":null,"cause":"verdict","cost":{"bytes_read":122,"bytes_written":0,"cpu_seconds":0.001042,"money":null},"drops":[],"id":"b72eb22693843744","learn_from":null,"made_at":"2026-09-12T00:00:00Z","made_from":["6c265f02f978d794"],"model":"spends"}','3ef14a6b8c385035b4ef2d795cdfaba4caa3d4e291f9c36bf4d5063bc904bde2','3c01207419b4630988cd1e3b86b06625ae8527f3c00785b0121972a378b5ebe7');
INSERT INTO "journal" VALUES(14,'f19475b50a7ad20d','spends','b294b5cda4e3aec1','admit','Version',1789171200000000,'{"candidate":"3cd858770a54d1b5","id":"f19475b50a7ad20d","made_at":"2026-09-12T00:00:00Z","made_from":["3cd858770a54d1b5","6c265f02f978d794"],"model":"spends","number":1,"verdict":"6c265f02f978d794"}','3c01207419b4630988cd1e3b86b06625ae8527f3c00785b0121972a378b5ebe7','dc7418e26d81605151189490406993db5659efb69f84d64f0beba789875f8bd1');
INSERT INTO "journal" VALUES(15,'189e6c8f2203e205','spends','b294b5cda4e3aec1','begin','Traffic',1789171200000000,'{"arms":[],"baseline":null,"because":"spends@1 passed the gate","candidate":"f19475b50a7ad20d","champion":"6e5ba8dd0a783e8f","control":0.0,"cost":{"bytes_read":122,"bytes_written":0,"cpu_seconds":0.00179,"money":null},"generation":2,"id":"189e6c8f2203e205","made_at":"2026-09-12T00:00:00Z","made_from":["97a99841c9efc674","f19475b50a7ad20d"],"model":"spends","previous":null,"salt":"218f2a1af2931c91","share":0.0,"since":"2026-09-12T00:00:00Z","stage":"shadow","step":0}','dc7418e26d81605151189490406993db5659efb69f84d64f0beba789875f8bd1','5ded8e25bdf417cf33c76df8684c50ccca1bfdc2e3f77b78c18534bd5b794a8b');
INSERT INTO "journal" VALUES(16,'5c9fdab12ca42dbc','spends','dc5617229fcba51e','watch','Signals',1789178400000000,'{"beside":[],"confidence":[],"cost":{"bytes_read":96657,"bytes_written":624,"cpu_seconds":0.214656,"money":null},"followed":[],"fresh":12,"id":"5c9fdab12ca42dbc","lifts":[],"made_at":"2026-09-12T02:00:00Z","made_from":["189e6c8f2203e205","189e6c8f2203e205"],"model":"spends","signals":[{"about":"f19475b50a7ad20d","as_of":"2026-09-12T02:00:00Z","between":null,"causes":[],"clause":"worse_than_champion()","coverage":0.6666666666666666,"fired":false,"high":null,"kind":"worse","low":null,"measure":"wape","outcome":"not enough evidence","rows":0,"sentence":"no truth of the answers given side by side is mature yet","since":null,"value":null,"wealth":[]},{"about":null,"as_of":"2026-09-12T02:00:00Z","between":null,"causes":[],"clause":"slipped(''mae'', by=0.2)","coverage":0.6666666666666666,"fired":false,"high":null,"kind":"slip","low":null,"measure":"mae","outcome":"not enough evidence","rows":12,"sentence":"there is no MAE of when it was promoted to compare with; the truth of 66.7 % of 18 answers is known as of 2026-09-12 02:00 UTC, 1 window is immature","since":null,"value":null,"wealth":[]}],"trial":{"among":1,"answers":0,"because":"nothing is found against the candidate","began_at":"2026-09-12T00:00:00Z","beyond":1.0,"breaks":1000.0,"candidate":"f19475b50a7ad20d","champion":"6e5ba8dd0a783e8f","ends_at":null,"epochs":[],"evidence":1.0,"failed":0,"found":0,"freezes":1000.0,"guards":[{"bound":null,"effect":null,"epochs":[],"evidence":1.0,"high":null,"late":0,"level":null,"low":0.0,"margin":1.5,"more":true,"name":"errors","needed":null,"needs":20.0,"paired":[],"proven":null,"role":"harm","waiting":0,"wealth":[],"weight":0.15,"what":"units an answer failed for","why_silent":null,"worth":0.0},{"bound":null,"effect":null,"epochs":[],"evidence":1.0,"high":null,"late":0,"level":null,"low":null,"margin":1.25,"more":true,"name":"slow","needed":null,"needs":20.0,"paired":[],"proven":null,"role":"harm","waiting":0,"wealth":[],"weight":0.2,"what":"slow answers","why_silent":"fewer than 100 answers were given one at a time before the start","worth":0.0},{"bound":null,"effect":null,"epochs":[],"evidence":1.0,"high":null,"late":0,"level":null,"low":0.0,"margin":1.5,"more":true,"name":"odd","needed":null,"needs":20.0,"paired":[],"proven":null,"role":"harm","waiting":0,"wealth":[],"weight":0.15,"what":"units with an answer below -90.0 or above 189","why_silent":null,"worth":0.0}],"highest":189.0,"limit":0.005,"limit_before":0.005,"lowest":-90.0,"mismatch":1.0,"parts":[],"rolls_back":20.0,"salt":"218f2a1af2931c91","says":"go on","test":0,"until":"2026-09-12T02:00:00Z","warns":5.0},"until":"2026-09-12T02:00:00Z"}','5ded8e25bdf417cf33c76df8684c50ccca1bfdc2e3f77b78c18534bd5b794a8b','11dd7184bd7ebf8386fc6b608fb1178acb79d703bf86a91ec15f9a8feaf9e2ec');
INSERT INTO "journal" VALUES(17,'9a328d091ff412cf','spends','dc5617229fcba51e','decide','Decision',1789178400000000,'{"action":"hold","asks":null,"because":["a roll-out is in progress (shadow)"],"by":null,"cause":"schedule","cost":{"bytes_read":123,"bytes_written":0,"cpu_seconds":0.005871,"money":null},"drops":[],"id":"9a328d091ff412cf","learn_from":null,"made_at":"2026-09-12T02:00:00Z","made_from":["189e6c8f2203e205","5c9fdab12ca42dbc"],"model":"spends"}','11dd7184bd7ebf8386fc6b608fb1178acb79d703bf86a91ec15f9a8feaf9e2ec','97c3311a5f3bd8ac19751d8f5eedfbb9d84925f95e990073f9c8ad4bcd1c56b8');
CREATE TABLE keys (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	scopes TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	made_at BIGINT NOT NULL, 
	revoked_at BIGINT, per_second FLOAT, 
	CONSTRAINT pk_keys PRIMARY KEY (id)
);
INSERT INTO "keys" VALUES('k1','till-3','predict','0000000000000000000000000000000000000000000000000000000000000000',1790000000000000,NULL,NULL);
CREATE TABLE leases (
	name TEXT NOT NULL, 
	holder TEXT, 
	until BIGINT NOT NULL, 
	fence INTEGER NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (name)
);
INSERT INTO "leases" VALUES('controller',NULL,0,3);
CREATE TABLE letters (
	alert TEXT NOT NULL, 
	address TEXT NOT NULL, 
	person TEXT NOT NULL, 
	state TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	message TEXT, 
	first_at BIGINT NOT NULL, 
	due_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	why TEXT, 
	CONSTRAINT pk_letters PRIMARY KEY (alert, address)
);
INSERT INTO "letters" VALUES('a1','address','Kim','waiting',2,'hello',1790000000000000,1790000000000000,NULL,'refused');
CREATE TABLE traffic (
	model TEXT NOT NULL, 
	generation INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_traffic PRIMARY KEY (model)
);
INSERT INTO "traffic" VALUES('spends',2,'189e6c8f2203e205',1789171200000000,'{"arms":[],"baseline":null,"because":"spends@1 passed the gate","candidate":"f19475b50a7ad20d","champion":"6e5ba8dd0a783e8f","control":0.0,"cost":{"bytes_read":122,"bytes_written":0,"cpu_seconds":0.00179,"money":null},"generation":2,"id":"189e6c8f2203e205","made_at":"2026-09-12T00:00:00Z","made_from":["97a99841c9efc674","f19475b50a7ad20d"],"model":"spends","previous":null,"salt":"218f2a1af2931c91","share":0.0,"since":"2026-09-12T00:00:00Z","stage":"shadow","step":0}');
CREATE TABLE turns (
	id TEXT NOT NULL, 
	model TEXT NOT NULL, 
	now BIGINT NOT NULL, 
	cause TEXT NOT NULL, 
	state TEXT NOT NULL, 
	started_at BIGINT NOT NULL, 
	finished_at BIGINT, code TEXT, 
	CONSTRAINT pk_turns PRIMARY KEY (id)
);
INSERT INTO "turns" VALUES('b294b5cda4e3aec1','spends',1789171200000000,'demand','done',1795349177358265,1795349178962244,NULL);
INSERT INTO "turns" VALUES('dc5617229fcba51e','spends',1789178400000000,'schedule','done',1795349178968722,1795349179344547,NULL);
CREATE TABLE versions (
	id TEXT NOT NULL, 
	model TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	content TEXT NOT NULL, 
	candidate TEXT NOT NULL, 
	verdict TEXT, 
	made_at BIGINT NOT NULL, 
	made_from TEXT NOT NULL, 
	CONSTRAINT pk_versions PRIMARY KEY (id), 
	CONSTRAINT uq_versions_model_number UNIQUE (model, number), 
	CONSTRAINT uq_versions_model_content UNIQUE (model, content)
);
INSERT INTO "versions" VALUES('6e5ba8dd0a783e8f','spends',0,'cd5cd5771f068ae1','4d01f99118134e12',NULL,1788998400000000,'["4d01f99118134e12"]');
INSERT INTO "versions" VALUES('f19475b50a7ad20d','spends',1,'ced40a67fb1bc511','3cd858770a54d1b5','6c265f02f978d794',1789171200000000,'["3cd858770a54d1b5","6c265f02f978d794"]');
CREATE UNIQUE INDEX ix_journal_id ON journal (id);
CREATE INDEX ix_journal_model_kind_seq ON journal (model, kind, seq);
CREATE INDEX ix_journal_turn ON journal (turn);
CREATE INDEX ix_journal_at ON journal (at);
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_no_replace BEFORE INSERT ON journal WHEN EXISTS (SELECT 1 FROM journal WHERE seq = NEW.seq OR id = NEW.id) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE INDEX ix_turns_model_now ON turns (model, now);
CREATE UNIQUE INDEX one_open_turn ON turns (model) WHERE state = 'open';
CREATE INDEX ix_alerts_delivered_at_raised_at ON alerts (delivered_at, raised_at);
CREATE INDEX ix_approvals_model_state ON approvals (model, state);
CREATE INDEX ix_errands_state_asked_at ON errands (state, asked_at);
CREATE INDEX ix_errands_model_verb_now ON errands (model, verb, now);
CREATE INDEX ix_letters_address_ended_at ON letters (address, ended_at);
CREATE INDEX ix_incidents_model_state ON incidents (model, state);
CREATE INDEX ix_incidents_at ON incidents (at);
CREATE INDEX ix_leases_holder ON leases (holder);
COMMIT;
