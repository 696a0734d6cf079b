/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/ctl.h"

#include "controller/controller.h"
#include "core/identity.h"
#include "service/ctlstore.h"
#include "service/log.h"
#include "service/service.h"
#include "service/worker.h"

#include <sodium.h>
#include <stdlib.h>

static void on_random(void *context, void *out, size_t length)
{
	(void)context;
	randombytes_buf(out, length);
}

struct ctl_job {
	struct work work; /* first: the job is found from it */
	struct controller_job *job;
};

static void job_run(struct work *work)
{
	controller_job_run(((struct ctl_job *)work)->job);
}

static void job_done(struct service *service, struct work *work, bool is_dropped)
{
	struct controller_job *job = ((struct ctl_job *)work)->job;
	free(work);
	if (is_dropped) {
		controller_job_drop(job);
	} else {
		controller_job_done(service->controller, loop_now(service->loop), job);
	}
}

static bool on_job(void *context, struct controller_job *controller_job)
{
	struct service *service = context;
	struct ctl_job *job = malloc(sizeof *job);
	if (!job) {
		return false;
	}
	*job =
	    (struct ctl_job){ .work = { .run = job_run, .done = job_done }, .job = controller_job };
	if (!worker_submit(service->worker, &job->work)) {
		free(job);
		return false;
	}
	return true;
}

static void on_send_config(void *context, const struct zt_reply_to *to, const void *chunk,
			   size_t length)
{
	struct service *service = context;
	zt_config_send(service->node, loop_now(service->loop), to, chunk, length);
}

static void on_refuse(void *context, const struct zt_reply_to *to, uint8_t code,
		      const char *login_url)
{
	struct service *service = context;
	zt_config_refuse(service->node, loop_now(service->loop), to, code, login_url);
}

static void on_send_credentials(void *context, uint64_t member, const void *payload, size_t length)
{
	struct service *service = context;
	zt_credentials_send(service->node, loop_now(service->loop), member, payload, length);
}

static void on_log(void *context, enum zt_level level, const char *text)
{
	(void)context;
	switch (level) {
	case ZT_LOG_ERROR:
		log_err("controller", "%s", text);
		break;
	case ZT_LOG_WARN:
		log_warn("controller", "%s", text);
		break;
	case ZT_LOG_INFO:
		log_info("controller", "%s", text);
		break;
	case ZT_LOG_DEBUG:
		log_debug("controller", "%s", text);
		break;
	}
}

static const struct controller_callbacks callbacks = {
	.random = on_random,
	.job = on_job,
	.send_config = on_send_config,
	.refuse = on_refuse,
	.send_credentials = on_send_credentials,
	.log = on_log,
};

int ctl_open(struct service *service, const struct identity *identity)
{
	char text[IDENTITY_TEXT_MAX];
	int error = ctlstore_open(service, &service->store);
	if (error != 0) {
		return error;
	}
	struct controller_config config = {
		.identity_secret = identity_text(identity, true, text),
		.callbacks = &callbacks,
		.store = service->store,
		.context = service,
	};
	error = controller_new(&config, loop_now(service->loop), &service->controller);
	sodium_memzero(text, sizeof text);
	return error;
}

void ctl_save(struct service *service)
{
	controller_save(service->controller);
}

void ctl_close(struct service *service)
{
	if (service->controller) {
		controller_free(service->controller, loop_now(service->loop));
		service->controller = NULL;
	}
	if (service->store) {
		ctlstore_close(service->store);
		service->store = NULL;
	}
}

void ctl_request(struct service *service, const struct zt_config_request *request)
{
	if (service->controller) {
		controller_request(service->controller, loop_now(service->loop), request);
	}
}

void ctl_advance(struct service *service, struct zt_now now)
{
	if (now.mono_ms >= controller_deadline(service->controller)) {
		controller_tick(service->controller, now);
	}
}

int64_t ctl_deadline(const struct service *service)
{
	return controller_deadline(service->controller);
}
