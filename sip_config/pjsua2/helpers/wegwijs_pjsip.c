/* See wegwijs_pjsip.h. Written against pjproject 2.17; what it leans on is asserted below. */

#include "wegwijs_pjsip.h"

#include <pjsua-lib/pjsua.h>

#if PJ_VERSION_NUM < ((2 << 24) | (17 << 16))
#error "Wegwijs needs pjproject 2.17 or newer: ivr/sip uses what older Python wrappers lack"
#endif

/* Modules of lower numbers see what comes in before, and what goes out after, those of higher
 * ones. New requests are seen after the dialogs took theirs, and before pjsua answers. */
#define REQUESTS_PRIORITY (PJSIP_MOD_PRIORITY_APPLICATION - 1)
/* Among the users of a dialog: before the INVITE session, which would end the call. */
#define REFERS_PRIORITY (PJSIP_MOD_PRIORITY_DIALOG_USAGE - 8)

_Static_assert(REQUESTS_PRIORITY > PJSIP_MOD_PRIORITY_UA_PROXY_LAYER &&
               REQUESTS_PRIORITY > PJSIP_MOD_PRIORITY_DIALOG_USAGE,
               "requests inside calls would be taken for new ones");
_Static_assert(REFERS_PRIORITY > PJSIP_MOD_PRIORITY_UA_PROXY_LAYER,
               "a dialog's users come after the dialogs themselves");

/* A transaction's mark: 0 is not guarded, GUARDED has its own status still, any other number is the
 * status that was changed. */
#define GUARDED 1
#define ENDS_NOTHING PJSIP_SC_TEMPORARILY_UNAVAILABLE

static int invite_retry_after_seconds;
static int options_retry_after_seconds = -1; /* atomic */
static pj_bool_t invite_is_new;              /* the library looks at a new INVITE just now */
static pj_bool_t invite_was_changed;

static pj_bool_t on_new_request(pjsip_rx_data *received);
static pj_status_t on_response_sent(pjsip_tx_data *response);
static void on_refer_state(pjsip_transaction *transaction, pjsip_event *event);

static pjsip_module requests;
static pjsip_module refers;

#define NAMED(text) {text, sizeof(text) - 1}

static const pjsip_module requests_as_new = {
    .name = NAMED("mod-wegwijs-requests"),
    .id = -1,
    .priority = REQUESTS_PRIORITY,
    .on_rx_request = &on_new_request,
    .on_tx_response = &on_response_sent,
};
static const pjsip_module refers_as_new = {
    .name = NAMED("mod-wegwijs-refers"),
    .id = -1,
    .priority = REFERS_PRIORITY,
    .on_tsx_state = &on_refer_state,
};

int wegwijs_helpers_version(void)
{
    return WEGWIJS_HELPERS_VERSION;
}

void wegwijs_silence_log(void)
{
    pj_log_set_level(0);
}

int wegwijs_call_places(void)
{
    return (int)pjsua_call_get_max_count();
}

int wegwijs_calls(void)
{
    return (int)pjsua_call_get_count();
}

int wegwijs_start(int retry_after_seconds)
{
    pjsip_endpoint *endpoint = pjsua_get_pjsip_endpt();
    pj_status_t status;

    if (endpoint == NULL)
        return PJ_EINVALIDOP;
    invite_retry_after_seconds = retry_after_seconds;
    invite_is_new = invite_was_changed = PJ_FALSE;
    wegwijs_set_options_retry_after(-1);
    /* An endpoint that ended before has left its marks in them. */
    requests = requests_as_new;
    refers = refers_as_new;
    status = pjsip_endpt_register_module(endpoint, &requests);
    if (status == PJ_SUCCESS)
        status = pjsip_endpt_register_module(endpoint, &refers);
    return status;
}

void wegwijs_set_options_retry_after(int seconds)
{
    __atomic_store_n(&options_retry_after_seconds, seconds, __ATOMIC_RELAXED);
}

int wegwijs_invite_status(int status)
{
    pj_bool_t changed = invite_was_changed;

    invite_is_new = invite_was_changed = PJ_FALSE;
    return changed && status == PJSIP_SC_INTERNAL_SERVER_ERROR ? PJSIP_SC_SERVICE_UNAVAILABLE
                                                               : status;
}

/* Answer without a transaction, as pjsua does with OPTIONS. */
static pj_bool_t refuse(pjsip_rx_data *received, int retry_after_seconds)
{
    pjsip_hdr headers;
    pjsip_retry_after_hdr *retry_after;

    pj_list_init(&headers);
    retry_after = pjsip_retry_after_hdr_create(received->tp_info.pool, retry_after_seconds);
    pj_list_push_back(&headers, retry_after);
    return pjsip_endpt_respond_stateless(pjsua_get_pjsip_endpt(), received,
                                         PJSIP_SC_SERVICE_UNAVAILABLE, NULL, &headers,
                                         NULL) == PJ_SUCCESS;
}

/* Requests inside a call do not come this far. Whether the request is dealt with. */
static pj_bool_t on_new_request(pjsip_rx_data *received)
{
    const pjsip_method *method = &received->msg_info.msg->line.req.method;
    int seconds = __atomic_load_n(&options_retry_after_seconds, __ATOMIC_RELAXED);

    invite_is_new = method->id == PJSIP_INVITE_METHOD;
    invite_was_changed = PJ_FALSE;
    /* pjsua's 200 lists what we allow and accept. */
    return method->id == PJSIP_OPTIONS_METHOD && seconds >= 0 && refuse(received, seconds);
}

static pj_status_t on_response_sent(pjsip_tx_data *response)
{
    pjsip_msg *message = response->msg;
    const pjsip_cseq_hdr *cseq = PJSIP_MSG_CSEQ_HDR(message);

    if (invite_is_new && message->line.status.code == PJSIP_SC_INTERNAL_SERVER_ERROR &&
        cseq != NULL && cseq->method.id == PJSIP_INVITE_METHOD) {
        pjsip_retry_after_hdr *retry_after =
            pjsip_retry_after_hdr_create(response->pool, invite_retry_after_seconds);

        pjsip_msg_add_hdr(message, (pjsip_hdr *)retry_after);
        message->line.status.code = PJSIP_SC_SERVICE_UNAVAILABLE;
        message->line.status.reason = *pjsip_get_status_text(PJSIP_SC_SERVICE_UNAVAILABLE);
        invite_was_changed = PJ_TRUE;
    }
    return PJ_SUCCESS;
}

int wegwijs_answer(void *received, void *transaction, int status)
{
    pjsip_tx_data *response;
    pj_status_t sent;

    if (received == NULL || transaction == NULL)
        return PJ_EINVAL;
    sent = pjsip_endpt_create_response(pjsua_get_pjsip_endpt(), (pjsip_rx_data *)received, status,
                                       NULL, &response);
    if (sent != PJ_SUCCESS)
        return sent;
    sent = pjsip_tsx_send_msg((pjsip_transaction *)transaction, response);
    if (sent != PJ_SUCCESS)
        pjsip_tx_data_dec_ref(response);
    return sent;
}

/* Where a transaction keeps the mark: in the place that belongs to our module, if it has one. While
 * the endpoint ends, transactions may outlive the module. */
static void **mark_of(pjsip_transaction *transaction)
{
    return refers.id < 0 ? NULL : &transaction->mod_data[refers.id];
}

int wegwijs_guard_refer(void *transaction)
{
    pjsip_transaction *refer = (pjsip_transaction *)transaction;
    pjsip_dialog *dialog;
    pj_status_t status;
    void **mark;

    if (refer == NULL || refer->role != PJSIP_ROLE_UAC ||
        pj_stricmp2(&refer->method.name, "REFER") != 0)
        return PJ_EINVAL;
    dialog = pjsip_tsx_get_dlg(refer);
    mark = mark_of(refer);
    if (dialog == NULL || mark == NULL)
        return PJ_EINVALIDOP;
    status = pjsip_dlg_add_usage(dialog, &refers, NULL);
    if (status == PJ_SUCCESS && *mark == NULL)
        *mark = (void *)(pj_ssize_t)GUARDED;
    return status;
}

int wegwijs_refer_status(void *transaction)
{
    pjsip_transaction *refer = (pjsip_transaction *)transaction;
    void **mark;

    if (refer == NULL)
        return 0;
    mark = mark_of(refer);
    return mark != NULL && (pj_ssize_t)*mark > GUARDED ? (int)(pj_ssize_t)*mark
                                                       : refer->status_code;
}

static void on_refer_state(pjsip_transaction *transaction, pjsip_event *event)
{
    void **mark = mark_of(transaction);

    PJ_UNUSED_ARG(event);
    if (mark == NULL || *mark == NULL)
        return;
    /* What ends the call, to the library (RFC 3261 section 12.2.1.2). */
    if (transaction->status_code == PJSIP_SC_REQUEST_TIMEOUT ||
        transaction->status_code == PJSIP_SC_CALL_TSX_DOES_NOT_EXIST) {
        *mark = (void *)(pj_ssize_t)transaction->status_code;
        transaction->status_code = ENDS_NOTHING;
    }
}
