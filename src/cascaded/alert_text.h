/* SPDX-License-Identifier: MIT */
/* The words of alerts, for the files of alert.h only. */
#ifndef CS_CASCADED_ALERT_TEXT_H
#define CS_CASCADED_ALERT_TEXT_H

#include "conf/conf.h"

#define ALERT_TEXT_MAX 1200 /* bytes of one: it fits into a message whole */

enum lang alert_lang(const struct conf *conf);
/* AT (unix) in the time zone of schedules. Returns BUF (at least 20 bytes). */
const char *alert_time(char *buf, size_t size, const struct conf *conf, int64_t at);
/* TARGET is told of EVENT. */
bool alert_wanted(const struct conf_alert *target, const char *event);

#endif
