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
INSERT INTO "alembic_version" VALUES('0003');
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
	taken INTEGER NOT NULL, 
	CONSTRAINT pk_errands PRIMARY KEY (id)
);
INSERT INTO "errands" VALUES('e1','turn','spends',1790000000000000,'schedule','waiting',1790000000000000,NULL,NULL,1);
INSERT INTO "errands" VALUES('e2','score','spends',1790000000000000,'schedule','done',1790000000000000,1790000000100000,'{"answers":6}',1);
CREATE TABLE facts (
	model TEXT NOT NULL, 
	name TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_facts PRIMARY KEY (model, name, at)
);
INSERT INTO "facts" VALUES('spends','answering',1788998400000000,'{}');
INSERT INTO "facts" VALUES('','salt',0,'{"salt":"96fb843e5fc8e9606e6a9db049379f09"}');
INSERT INTO "facts" VALUES('spends','answered until',1788998400000000,'{"answers":6,"through":0}');
INSERT INTO "facts" VALUES('spends','answering',1789084800000000,'{}');
INSERT INTO "facts" VALUES('spends','answered until',1789084800000000,'{"answers":6,"through":0}');
INSERT INTO "facts" VALUES('spends','answering',1789171200000000,'{}');
INSERT INTO "facts" VALUES('spends','answered until',1789171200000000,'{"answers":6,"through":0}');
INSERT INTO "facts" VALUES('spends','reference 4d01f99118134e12',1788998400000000,'{"habit":[{"counts":{"answers":[0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,1,0,1,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,1,0],"orders_amount_total_last_7d":[0,0,1,0,1,0,1,0,1,0,0,0,0,0,1,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]},"first_at":1788220800000000,"last_at":1788220800000000,"rows":6,"spec":"aa664b89ec603f38"},{"counts":{"answers":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,1,0,1,0,0,0,1,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,1,0],"orders_amount_total_last_7d":[0,0,0,0,0,0,0,0,0,0,1,0,1,0,0,0,0,0,1,0,0,0,0,0,1,0,0,0,1,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]},"first_at":1788307200000000,"last_at":1788307200000000,"rows":6,"spec":"aa664b89ec603f38"},{"counts":{"answers":[0,0,0,0,0,0,0,0,1,0,0,0,1,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,1,0,1,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"orders_amount_total_last_7d":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,1,0,0,0,1,0,0,0,0,0,0,0,1,0,0,0,0,0,1,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]},"first_at":1788393600000000,"last_at":1788393600000000,"rows":6,"spec":"aa664b89ec603f38"},{"counts":{"answers":[0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,1,0,0,0,1,0],"orders_amount_total_last_7d":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,1,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,1,0,1,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0]},"first_at":1788480000000000,"last_at":1788480000000000,"rows":6,"spec":"aa664b89ec603f38"},{"counts":{"answers":[0,0,0,0,0,0,0,0,1,0,0,0,0,0,1,0,0,0,0,0,0,0,1,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,1,0,0,0],"orders_amount_total_last_7d":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,1,0,0,0,0,0,1,0,1,0,0,0,0,0]},"first_at":1788566400000000,"last_at":1788566400000000,"rows":6,"spec":"aa664b89ec603f38"},{"counts":{"answers":[0,0,0,0,1,0,1,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0],"orders_amount_total_last_7d":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,1,0,0,0,1,0,0,0,0,0,1,0,0,0,0,0,1,0,1,0]},"first_at":1788652800000000,"last_at":1788652800000000,"rows":6,"spec":"aa664b89ec603f38"}],"profile":{"counts":{"answers":[0,0,1,0,1,0,1,0,3,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,2,0,1,0,1,0,2,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,2,0,1,0,1,0,3,0],"orders_amount_total_last_7d":[0,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,2,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0]},"first_at":1788220800000000,"last_at":1788652800000000,"rows":36,"spec":"aa664b89ec603f38"},"spec":{"answers":{"edges":[1.0,1.0000000000000002,2.0,2.0000000000000004,3.0,3.0000000000000004,4.0,4.000000000000001,9.0,9.000000000000002,13.0,13.000000000000002,14.0,14.000000000000002,16.0,16.000000000000004,18.0,18.000000000000004,27.0,27.000000000000004,30.0,30.000000000000004,33.0,33.00000000000001,35.0,35.00000000000001,41.0,41.00000000000001,49.0,49.00000000000001,50.0,50.00000000000001,56.0,56.00000000000001,58.0,58.00000000000001,61.0,61.00000000000001,63.0,63.00000000000001,64.0,64.00000000000001,70.0,70.00000000000001,73.0,73.00000000000001,76.0,76.00000000000001,78.0,78.00000000000001,84.0,84.00000000000001,90.0,90.00000000000001,93.0,93.00000000000001,98.0,98.00000000000001],"kind":"number","rest":[],"top":[]},"orders_amount_total_last_7d":{"edges":[9.0,9.000000000000002,16.0,16.000000000000004,18.0,18.000000000000004,33.0,33.00000000000001,65.0,65.00000000000001,70.0,70.00000000000001,73.0,73.00000000000001,74.0,74.00000000000001,82.0,82.00000000000001,98.0,98.00000000000001,109.0,109.00000000000001,117.0,117.00000000000001,121.0,121.00000000000001,156.0,156.00000000000003,160.0,160.00000000000003,164.0,164.00000000000003,167.0,167.00000000000003,171.0,171.00000000000003,178.0,178.00000000000003,184.0,184.00000000000003,187.0,187.00000000000003,209.0,209.00000000000003,219.0,219.00000000000003,220.0,220.00000000000003,225.0,225.00000000000003,248.0,248.00000000000003,266.0,266.00000000000006,268.0,268.00000000000006,280.0,280.00000000000006,282.0,282.00000000000006,283.0,283.00000000000006,296.0,296.00000000000006,312.0,312.00000000000006,316.0,316.00000000000006,380.0,380.00000000000006],"kind":"number","rest":[],"top":[]}}}');
INSERT INTO "facts" VALUES('spends','window 4d01f99118134e12',1788998400000000,'{"counts":{"answers":[0,0,0,0,0,0,1,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,1,0,0,0,0,0,0,0,0],"orders_amount_total_last_7d":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,2,0,2]},"first_at":1788998400000000,"last_at":1788998400000000,"rows":6,"spec":"aa664b89ec603f38"}');
INSERT INTO "facts" VALUES('spends','window 4d01f99118134e12',1789084800000000,'{"counts":{"answers":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,1,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,1,1,0,0],"orders_amount_total_last_7d":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,1,0,2,1,1]},"first_at":1789084800000000,"last_at":1789084800000000,"rows":6,"spec":"aa664b89ec603f38"}');
INSERT INTO "facts" VALUES('spends','window 4d01f99118134e12',1789171200000000,'{"counts":{"answers":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,1,0,0,0,0,0,0,0,0,0,2,0,0,0,0,0,0,0,0,0,0,0,1,1,0,0,0],"orders_amount_total_last_7d":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,2,1,2]},"first_at":1789171200000000,"last_at":1789171200000000,"rows":6,"spec":"aa664b89ec603f38"}');
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
INSERT INTO "journal" VALUES(4,'97a99841c9efc674','spends','7be085192ddc7ade','adopt','Traffic',1788998400000000,'{"because":"the baseline answers until something better is proven","candidate":null,"champion":"6e5ba8dd0a783e8f","generation":1,"id":"97a99841c9efc674","made_at":"2026-09-10T00:00:00Z","made_from":["6e5ba8dd0a783e8f"],"model":"spends","previous":null,"salt":"","share":0.0,"since":"2026-09-10T00:00:00Z","stage":"steady","step":0}','9b1bce496d5e287376001d906eb902de8391ff19908f92bc525b984adae22aa4','bb5673be6fb6d6419ecc90616c80d5380cbd8b0185b80aab94c43134d72f21ba');
INSERT INTO "journal" VALUES(5,'422d3d2e723244f8','spends','b294b5cda4e3aec1','watch','Signals',1789171200000000,'{"id":"422d3d2e723244f8","made_at":"2026-09-12T00:00:00Z","made_from":["97a99841c9efc674","97a99841c9efc674"],"model":"spends","signals":[{"about":"6e5ba8dd0a783e8f","clause":"worse_than_champion()","coverage":0.6666666666666666,"fired":false,"high":null,"kind":"worse","low":null,"measure":"wape","outcome":"not enough evidence","rows":0,"sentence":"no other version answers beside it","since":null,"value":null},{"about":null,"clause":"slipped(''mae'', by=0.2)","coverage":0.6666666666666666,"fired":false,"high":null,"kind":"slip","low":null,"measure":"mae","outcome":"not enough evidence","rows":12,"sentence":"there is no MAE of when it was promoted to compare with","since":null,"value":null}],"until":"2026-09-12T00:00:00Z"}','bb5673be6fb6d6419ecc90616c80d5380cbd8b0185b80aab94c43134d72f21ba','f26f5f54f83fcfaa30725e234dfa7c7ac1f66f6bdbdd8ffaf33074e99ac9f69a');
INSERT INTO "journal" VALUES(6,'9ab0763fc8592cdc','spends','b294b5cda4e3aec1','decide','Decision',1789171200000000,'{"action":"retrain","asks":null,"because":["somebody asked for it"],"by":null,"cause":"demand","id":"9ab0763fc8592cdc","learn_from":null,"made_at":"2026-09-12T00:00:00Z","made_from":["97a99841c9efc674","422d3d2e723244f8"],"model":"spends"}','f26f5f54f83fcfaa30725e234dfa7c7ac1f66f6bdbdd8ffaf33074e99ac9f69a','baafc325741ff213c32d21a51eeca58406dcb57b10207988cd88c3c98e0e5201');
INSERT INTO "journal" VALUES(7,'1c5bba58237e9b53',NULL,'b294b5cda4e3aec1','snapshot','Snapshot',1789171200000000,'{"extents":[{"rows":72,"source":"orders","through_seq":72,"version":0}],"id":"1c5bba58237e9b53","made_at":"2026-09-12T00:00:00Z","made_from":[]}','baafc325741ff213c32d21a51eeca58406dcb57b10207988cd88c3c98e0e5201','a50e97d5efccf51053589507c6ff804ec96e54a75ac48a59c6d299727a551723');
INSERT INTO "journal" VALUES(8,'4ac8725f2a81fadc','spends','b294b5cda4e3aec1','check','Report',1789171200000000,'{"findings":[{"broken":0,"clause":"columns","examples":[],"met":1.0,"outcome":"passed","rows":6,"sentence":"In orders, the newest delivery (number 12, 6 rows, 2026-09-11 23:55 UTC) came as declared.","share":1.0,"source":"orders"}],"id":"4ac8725f2a81fadc","made_at":"2026-09-12T00:00:00Z","made_from":["1c5bba58237e9b53"],"model":"spends"}','a50e97d5efccf51053589507c6ff804ec96e54a75ac48a59c6d299727a551723','cf2ed221b68b7e1a2c5773e710f27e9893e529037921fc087f4cf5761750a7a7');
INSERT INTO "journal" VALUES(9,'5ad9483a34aac6fe','spends','b294b5cda4e3aec1','as_of','TrainingSet',1789171200000000,'{"body":"a1794ee28aa59c27a4c1c6404d083bd6b2988472b32641c2fcc91d28f3a12364","columns":["orders_amount_total_last_7d"],"first_at":"2026-09-01T00:00:00Z","id":"5ad9483a34aac6fe","immature":6,"judge_from":"2026-09-10T00:00:00Z","judge_rows":12,"last_at":"2026-09-11T00:00:00Z","learn_rows":48,"learn_until":"2026-09-09T00:00:00Z","made_at":"2026-09-12T00:00:00Z","made_from":["1c5bba58237e9b53","9ab0763fc8592cdc"],"model":"spends","rows":66,"truths_known_at":"2026-09-12T00:00:00Z","void":0}','cf2ed221b68b7e1a2c5773e710f27e9893e529037921fc087f4cf5761750a7a7','20fa774e3325a9247a23528dd7b3f9be1ed6035f9b999cb0c476ef1f83416c26');
INSERT INTO "journal" VALUES(10,'3cd858770a54d1b5','spends','b294b5cda4e3aec1','train','Candidate',1789171200000000,'{"artefact":"8953fe7cb34fada531821a09d6fd9b0c8db1a9710c7182d1d42be34e0261c3fa","columns":["orders_amount_total_last_7d"],"commit":null,"cpu_seconds":1.085,"definition":"807cd2e45334c52b","dirty":null,"environment":[["python","3.11.7"],["machine","Linux x86_64"],["everloop","0.1.0"],["numpy","2.4.6"],["scipy","1.17.1"],["scikit-learn","1.9.1"],["pyarrow","26.0.1"],["skops","0.16.0"],["lightgbm","4.7.0"],["pandas","3.1.1"],["threadpoolctl","3.8.0"]],"format":"skops","golden":"c9de93aef79576ff723a0af5de66f431527e6195cac5a5d1f4c284c4516fc3e0","id":"3cd858770a54d1b5","knows":["orders.total(''amount'', last=days(7))"],"learner":"<everloop_project_f04fe4bd.Little object>","learnt_from":"2026-09-01T00:00:00Z","learnt_until":"2026-09-08T00:00:00Z","made_at":"2026-09-12T00:00:00Z","made_from":["5ad9483a34aac6fe"],"model":"spends","needs":["everloop_project_f04fe4bd.Little"],"parameters":"{\"identity\":\"project.Little()\",\"parameters\":{},\"settings\":{}}","rows":48,"seconds":1.718,"seed":1020811383,"shape":{"kind":"number","labels":[],"levels":[],"most":0,"steps":1,"yes_above":null}}','20fa774e3325a9247a23528dd7b3f9be1ed6035f9b999cb0c476ef1f83416c26','25324cb726a41e4696e96937e371a115af4a06b61394137aec703bbabeb2442e');
INSERT INTO "journal" VALUES(11,'02afdb1c13ec2478','spends','b294b5cda4e3aec1','rehearse','Contest',1789171200000000,'{"body":"033f161611f4f75c3a80ceb69e496e3d43556741150b8e94ebd51c6fab52c987","candidate":"3cd858770a54d1b5","champion":"4d01f99118134e12","first_at":"2026-09-10T00:00:00Z","id":"02afdb1c13ec2478","last_at":"2026-09-11T00:00:00Z","made_at":"2026-09-12T00:00:00Z","made_from":["3cd858770a54d1b5","4d01f99118134e12","5ad9483a34aac6fe"],"milliseconds":[],"model":"spends","rows":12,"why_empty":null}','25324cb726a41e4696e96937e371a115af4a06b61394137aec703bbabeb2442e','6c0882762a2d65649cf69a462c019e63331b0cad847694664f00cbbdc16fd811');
INSERT INTO "journal" VALUES(12,'6c265f02f978d794','spends','b294b5cda4e3aec1','judge','Verdict',1789171200000000,'{"by":null,"candidate":"3cd858770a54d1b5","champion":"4d01f99118134e12","id":"6c265f02f978d794","made_at":"2026-09-12T00:00:00Z","made_from":["02afdb1c13ec2478"],"model":"spends","opinions":[],"outcome":"passed","reason":null}','6c0882762a2d65649cf69a462c019e63331b0cad847694664f00cbbdc16fd811','b8a842ed0479aa66b1cb520992fb25635ed5c517f3b5ece5be62757929001f7c');
INSERT INTO "journal" VALUES(13,'b72eb22693843744','spends','b294b5cda4e3aec1','permit','Decision',1789171200000000,'{"action":"promote","asks":null,"because":["it passed the gate"],"by":null,"cause":"verdict","id":"b72eb22693843744","learn_from":null,"made_at":"2026-09-12T00:00:00Z","made_from":["6c265f02f978d794"],"model":"spends"}','b8a842ed0479aa66b1cb520992fb25635ed5c517f3b5ece5be62757929001f7c','e236a17d7a2a0770405cfb0292a06c608c65d1c9918a213cf779a21d8627b7da');
INSERT INTO "journal" VALUES(14,'f19475b50a7ad20d','spends','b294b5cda4e3aec1','admit','Version',1789171200000000,'{"candidate":"3cd858770a54d1b5","id":"f19475b50a7ad20d","made_at":"2026-09-12T00:00:00Z","made_from":["3cd858770a54d1b5","6c265f02f978d794"],"model":"spends","number":1,"verdict":"6c265f02f978d794"}','e236a17d7a2a0770405cfb0292a06c608c65d1c9918a213cf779a21d8627b7da','68f4505cb4d04e4efcee8681308ce04523d8aac25fc0689b2603707f15e02782');
INSERT INTO "journal" VALUES(15,'189e6c8f2203e205','spends','b294b5cda4e3aec1','begin','Traffic',1789171200000000,'{"because":"spends@1 passed the gate","candidate":"f19475b50a7ad20d","champion":"6e5ba8dd0a783e8f","generation":2,"id":"189e6c8f2203e205","made_at":"2026-09-12T00:00:00Z","made_from":["97a99841c9efc674","f19475b50a7ad20d"],"model":"spends","previous":null,"salt":"218f2a1af2931c91","share":0.0,"since":"2026-09-12T00:00:00Z","stage":"shadow","step":0}','68f4505cb4d04e4efcee8681308ce04523d8aac25fc0689b2603707f15e02782','5be0b347682f5eca9df1aef16b2bf74aa94972bb1c21169e8d9021118b21699f');
INSERT INTO "journal" VALUES(16,'5c9fdab12ca42dbc','spends','dc5617229fcba51e','watch','Signals',1789178400000000,'{"id":"5c9fdab12ca42dbc","made_at":"2026-09-12T02:00:00Z","made_from":["189e6c8f2203e205","189e6c8f2203e205"],"model":"spends","signals":[{"about":"f19475b50a7ad20d","clause":"worse_than_champion()","coverage":0.6666666666666666,"fired":false,"high":null,"kind":"worse","low":null,"measure":"wape","outcome":"not enough evidence","rows":0,"sentence":"no truth of the answers given side by side is mature yet","since":null,"value":null},{"about":null,"clause":"slipped(''mae'', by=0.2)","coverage":0.6666666666666666,"fired":false,"high":null,"kind":"slip","low":null,"measure":"mae","outcome":"not enough evidence","rows":12,"sentence":"there is no MAE of when it was promoted to compare with","since":null,"value":null}],"until":"2026-09-12T02:00:00Z"}','5be0b347682f5eca9df1aef16b2bf74aa94972bb1c21169e8d9021118b21699f','a0d19f60c1b69a75c2503c554a43fd32a91c5f08eab4140104f3b54c5603fdf2');
INSERT INTO "journal" VALUES(17,'9a328d091ff412cf','spends','dc5617229fcba51e','decide','Decision',1789178400000000,'{"action":"hold","asks":null,"because":["a roll-out is in progress (shadow)"],"by":null,"cause":"schedule","id":"9a328d091ff412cf","learn_from":null,"made_at":"2026-09-12T02:00:00Z","made_from":["189e6c8f2203e205","5c9fdab12ca42dbc"],"model":"spends"}','a0d19f60c1b69a75c2503c554a43fd32a91c5f08eab4140104f3b54c5603fdf2','2edcb02733a051f77a03be72a3dc06621d139e39eda9351687eeadf49ebc335d');
CREATE TABLE keys (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	scopes TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	made_at BIGINT NOT NULL, 
	revoked_at BIGINT, 
	CONSTRAINT pk_keys PRIMARY KEY (id)
);
INSERT INTO "keys" VALUES('k1','till-3','predict','0000000000000000000000000000000000000000000000000000000000000000',1790000000000000,NULL);
CREATE TABLE leases (
	name TEXT NOT NULL, 
	holder TEXT, 
	until BIGINT NOT NULL, 
	fence INTEGER NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (name)
);
INSERT INTO "leases" VALUES('controller','shop-1:4711:ab',1790000000000000,3);
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
INSERT INTO "traffic" VALUES('spends',2,'189e6c8f2203e205',1789171200000000,'{"because":"spends@1 passed the gate","candidate":"f19475b50a7ad20d","champion":"6e5ba8dd0a783e8f","generation":2,"id":"189e6c8f2203e205","made_at":"2026-09-12T00:00:00Z","made_from":["97a99841c9efc674","f19475b50a7ad20d"],"model":"spends","previous":null,"salt":"218f2a1af2931c91","share":0.0,"since":"2026-09-12T00:00:00Z","stage":"shadow","step":0}');
CREATE TABLE turns (
	id TEXT NOT NULL, 
	model TEXT NOT NULL, 
	now BIGINT NOT NULL, 
	cause TEXT NOT NULL, 
	state TEXT NOT NULL, 
	started_at BIGINT NOT NULL, 
	finished_at BIGINT, 
	CONSTRAINT pk_turns PRIMARY KEY (id)
);
INSERT INTO "turns" VALUES('b294b5cda4e3aec1','spends',1789171200000000,'demand','done',1795349165817158,1795349167825264);
INSERT INTO "turns" VALUES('dc5617229fcba51e','spends',1789178400000000,'schedule','done',1795349167831156,1795349167906201);
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
INSERT INTO "versions" VALUES('f19475b50a7ad20d','spends',1,'7b6a1839d76bafef','3cd858770a54d1b5','6c265f02f978d794',1789171200000000,'["3cd858770a54d1b5","6c265f02f978d794"]');
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
COMMIT;
