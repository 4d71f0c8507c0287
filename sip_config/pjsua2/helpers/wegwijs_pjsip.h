/* What pjsua2's Python wrapper lacks, for ivr/sip/native.py.
 *
 * Compiled against the headers of the pjproject that it is linked with: a structure that is laid
 * out otherwise is compiled right, and a member or function that is gone ends the build.
 *
 * Arguments and results are numbers, and handles that pjsua2 gives out. A handle is valid while the
 * callback runs in which pjsua2 gave it. Functions are called on the thread that owns pjsua2, but
 * for those that say "any thread". Nothing here calls Python.
 *
 * Results called "error" are 0, or a pjsip error number (pj_status_t). */

#ifndef WEGWIJS_PJSIP_H
#define WEGWIJS_PJSIP_H

/* Raised with every change of what is declared here, together with ivr/sip/native.py. */
#define WEGWIJS_HELPERS_VERSION 1

#define WEGWIJS_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* WEGWIJS_HELPERS_VERSION of the wheel. Any thread, also before pjsua2 is initialised. */
WEGWIJS_API int wegwijs_helpers_version(void);

/* Keep the library's own log, which prints SIP messages with numbers, off every stream. Any
 * thread, also before pjsua2 is initialised. */
WEGWIJS_API void wegwijs_silence_log(void);

/* Calls that the initialised endpoint can hold: its maxCalls, cut to what was compiled in. */
WEGWIJS_API int wegwijs_call_places(void);

/* Calls whose dialog lives, those that wait for the answer to our BYE included. */
WEGWIJS_API int wegwijs_calls(void);

/* Begin to look at requests and at REFERs. Once for each endpoint, after it is initialised; the
 * endpoint's end undoes it.
 *
 * From then on a new call that the library answers with 500, as it does when it can open no ports
 * for the sound, gets 503 and Retry-After: RETRY_AFTER_SECONDS. A dispatcher that gets 503 tries
 * another node, and comes back.
 *
 * Returns an error. */
WEGWIJS_API int wegwijs_start(int retry_after_seconds);

/* Answer OPTIONS outside a call with 503 and Retry-After: SECONDS, or, with -1, leave it to pjsua,
 * which says 200. A dispatcher would keep sending calls to a node that drains and says 200.
 * Any thread. wegwijs_start sets -1. */
WEGWIJS_API void wegwijs_set_options_retry_after(int seconds);

/* The status that the caller of the new INVITE got whose refusal pjsua reports as STATUS: 503 where
 * 500 was changed, else STATUS. Called once for each new INVITE that pjsua reports, whether taken
 * or refused (STATUS is 0 for one that is taken): what is answered later is not changed. */
WEGWIJS_API int wegwijs_invite_status(int status);

/* Answer a request inside a call that pjsua leaves unanswered.
 *
 * RECEIVED is SipRxData.pjRxData, TRANSACTION the SipTransaction.pjTransaction that it opened,
 * STATUS a SIP status. Returns an error: the answer did not go out. */
WEGWIJS_API int wegwijs_answer(void *received, void *transaction, int status);

/* Keep the call when a REFER in it is answered with 408 or 481, or not at all.
 *
 * The library ends the whole call then, though only the transfer failed (RFC 5057 section 5.1): the
 * caller may be there still. The outcome is shown to the library as 480, which ends nothing.
 *
 * TRANSACTION is the SipTransaction.pjTransaction of a REFER of ours that goes out just now.
 * Returns an error: this REFER may end its call. */
WEGWIJS_API int wegwijs_guard_refer(void *transaction);

/* The true status of a REFER's TRANSACTION, guarded or not. */
WEGWIJS_API int wegwijs_refer_status(void *transaction);

#ifdef __cplusplus
}
#endif

#endif
