// The protocol of imsgd: JSON-RPC 2.0, one object a line. Made from `imsgd rpc --discover` by `make types`;
// do not edit.

/**
 * All of the protocol.
 */
export interface Imsgd {
  methods: Methods;
  notifications: Notifications;
  errorData: ErrorData;
}
/**
 * What each method takes and gives, by name.
 */
export interface Methods {
  /**
   * What this program is and what it can do now. Nobody needs to call it, and everybody may again.
   */
  initialize: {
    params: InitializeParams;
    result: Status;
  };
  /**
   * The same as `initialize`.
   */
  status: {
    params: Record<string, never>;
    result: Status;
  };
  /**
   * Ends a subscription. Nothing of it follows the answer.
   */
  "watch.unsubscribe": {
    params: WatchUnsubscribeParams;
    result: Unsubscribed;
  };
  /**
   * Chats, the one with the newest message first.
   */
  "chats.list": {
    params: ChatsListParams;
    result: Chats;
  };
  /**
   * One chat.
   */
  "chats.get": {
    params: ChatsGetParams;
    result: Group;
  };
  /**
   * How many messages there are, by chat, sender, service and day.
   */
  "messages.stats": {
    params: MessagesStatsParams;
    result: MessageStats;
  };
  /**
   * Messages of a chat, the newest first, whatever the policies said of them.
   */
  "messages.history": {
    params: MessagesHistoryParams;
    result: Messages;
  };
  /**
   * Messages with a text, the newest first, whatever the policies said of them.
   */
  "messages.search": {
    params: MessagesSearchParams;
    result: Messages;
  };
  /**
   * What was delivered after a row, page by page.
   */
  "messages.after": {
    params: MessagesAfterParams;
    result: MessagesPage;
  };
  /**
   * All that is in some rows, tapbacks as messages too, whatever the policies said of them.
   */
  "messages.export": {
    params: MessagesExportParams;
    result: MessagesPage;
  };
  /**
   * Messages that are to be sent later, the next one first.
   */
  "messages.scheduled": {
    params: MessagesScheduledParams;
    result: ScheduledMessages;
  };
  /**
   * Begins a subscription: from now on its notifications come.
   */
  "watch.subscribe": {
    params: WatchSubscribeParams;
    result: Subscribed;
  };
  /**
   * Acknowledges all messages up to a cursor: a consumer that comes back goes on after it.
   */
  "watch.ack": {
    params: WatchAckParams;
    result: Acknowledged;
  };
  /**
   * Consumers by name, where they are and how far behind.
   */
  "consumers.list": {
    params: Record<string, never>;
    result: Consumers;
  };
  /**
   * Forgets a consumer that no connection has.
   */
  "consumers.remove": {
    params: ConsumersRemoveParams;
    result: ConsumerRemoved;
  };
  /**
   * What Messages wrote down about a message that was sent.
   */
  "message.send_status": {
    params: MessageSendStatusParams;
    result: Delivery;
  };
  /**
   * Bytes of an attachment, one piece after the other.
   */
  "attachments.read": {
    params: AttachmentsReadParams;
    result: AttachmentPiece;
  };
  /**
   * Sends a message, and answers once it is seen in the database: within a second mostly, after 8 at most, and later only where Messages itself hangs.
   */
  send: {
    params: SendParams;
    result: Sent;
  };
  /**
   * Reacts to the newest message of a chat through Messages' own windows, and answers once that is seen.
   */
  react: {
    params: ReactParams;
    result: Reacted;
  };
  /**
   * Strangers who wait, and who was let in.
   */
  "pairing.list": {
    params: Record<string, never>;
    result: Pairings;
  };
  /**
   * Lets a stranger in, and delivers what was held of theirs.
   */
  "pairing.approve": {
    params: PairingApproveParams;
    result: Approved;
  };
  /**
   * Turns a stranger's request down.
   */
  "pairing.deny": {
    params: PairingDenyParams;
    result: Denied;
  };
  /**
   * Takes an approval back.
   */
  "pairing.revoke": {
    params: PairingRevokeParams;
    result: Revoked;
  };
  /**
   * Messages that are held, and why, in the order of their rows; not what they say.
   */
  "held.list": {
    params: HeldListParams;
    result: HeldMessages;
  };
  /**
   * One held message with what it says.
   */
  "held.show": {
    params: HeldShowParams;
    result: HeldShown;
  };
  /**
   * Judges held messages again; a sender whom only nobody knows is let in this once.
   */
  "held.release": {
    params: HeldReleaseParams;
    result: HeldHandled;
  };
  /**
   * Makes held messages dropped ones, which are never delivered.
   */
  "held.drop": {
    params: HeldDropParams;
    result: HeldHandled;
  };
  /**
   * What became of one message, who decided, and why.
   */
  "journal.explain": {
    params: JournalExplainParams;
    result: Explanation;
  };
  /**
   * What was sent and what waits to be sent, the newest first, without the texts.
   */
  "outbox.list": {
    params: OutboxListParams;
    result: Outgoing;
  };
  /**
   * The owner's switch: hands nothing to Messages any more, also after a restart, until `outbox.resume`.
   */
  "outbox.pause": {
    params: OutboxPauseParams;
    result: SendingPaused;
  };
  /**
   * Lets messages leave again.
   */
  "outbox.resume": {
    params: Record<string, never>;
    result: SendingResumed;
  };
  /**
   * What became of the last messages, the newest first.
   */
  "journal.list": {
    params: JournalListParams;
    result: JournalPage;
  };
  /**
   * From now on tells of each verdict once it is kept. `watch.unsubscribe` ends it.
   */
  "journal.subscribe": {
    params: JournalSubscribeParams;
    result: Subscribed;
  };
  /**
   * The policies, in the order in which they are asked.
   */
  "plugins.list": {
    params: Record<string, never>;
    result: Plugins;
  };
  /**
   * The last lines of one policy's log: what it wrote, and how it failed. Messages may be quoted in them.
   */
  "plugins.log": {
    params: PluginsLogParams;
    result: PluginLog;
  };
  /**
   * From now on tells of each line of one policy's log. `watch.unsubscribe` ends it.
   */
  "plugins.follow": {
    params: PluginsFollowParams;
    result: Subscribed;
  };
  /**
   * Reads configuration and plugins anew, now.
   */
  "plugins.reload": {
    params: Record<string, never>;
    result: Reloaded;
  };
  /**
   * What other policies would have decided about the messages of the past, beside what is in force. Sends nothing and keeps nothing; one at a time.
   */
  "policy.replay": {
    params: PolicyReplayParams;
    result: Replay;
  };
  /**
   * Ends the replay that runs, which is answered with what it has so far.
   */
  "policy.replay_stop": {
    params: Record<string, never>;
    result: ReplayStopped;
  };
  /**
   * What the configuration file says of a key, or all that it says.
   */
  "config.get": {
    params: ConfigGetParams;
    result: ConfigValue;
  };
  /**
   * Sets a key in the configuration file, and answers once that is in force. What is wrong is refused, and the file stays as it is.
   */
  "config.set": {
    params: ConfigSetParams;
    result: ConfigChanged;
  };
  /**
   * Takes a key out of the configuration file, so that its default is in force.
   */
  "config.unset": {
    params: ConfigUnsetParams;
    result: ConfigChanged;
  };
  /**
   * Adds one entry to a list in the configuration file, unless it is there.
   */
  "config.add": {
    params: ConfigAddParams;
    result: ConfigChanged;
  };
  /**
   * Takes one entry out of a list in the configuration file, if it is there.
   */
  "config.remove": {
    params: ConfigRemoveParams;
    result: ConfigChanged;
  };
  /**
   * The owner's accounts, as chats name them.
   */
  "accounts.list": {
    params: Record<string, never>;
    result: Accounts;
  };
  /**
   * On which service an address can be reached, as far as earlier messages tell.
   */
  "handles.whois": {
    params: HandlesWhoisParams;
    result: Whois;
  };
  /**
   * The name that the owner's contacts have for an address, after another look at them.
   */
  "contacts.lookup": {
    params: ContactsLookupParams;
    result: ContactName;
  };
  /**
   * Says how this connection takes the parameters of the requests that follow.
   */
  "connection.compat": {
    params: ConnectionCompatParams;
    result: ConnectionCompat;
  };
  /**
   * Gives scopes of this connection up, for as long as it lasts, and tells which are left.
   */
  "connection.scopes": {
    params: ConnectionScopesParams;
    result: ConnectionScopes;
  };
  /**
   * The picture behind a chat, as far as it is written down.
   */
  "chats.background": {
    params: ChatsBackgroundParams;
    result: Background;
  };
  /**
   * The OpenRPC document of all this.
   */
  "rpc.discover": {
    params: Record<string, never>;
    result: {
      [k: string]: unknown | undefined;
    };
  };
}
/**
 * Parameters of `initialize`.
 */
export interface InitializeParams {
  /**
   * The version that the client speaks. Default: 1.
   */
  protocol_version?: number;
}
/**
 * What this program is, what it can do now, and how it has been doing.
 */
export interface Status {
  version: string;
  /**
   * The version of the protocol, not of the program.
   */
  protocol_version: number;
  database: Database;
  bridge: Bridge;
  contacts: Contacts;
  /**
   * What this connection can call now.
   */
  methods: string[];
  /**
   * What is known, also what can only be refused.
   */
  supported_methods: string[];
  capabilities: Capabilities;
  imsgd: DaemonState;
}
/**
 * The database of Messages.
 */
export interface Database {
  path: string;
  ready: boolean;
  /**
   * Where it is ready.
   */
  features?: DatabaseFeatures;
  /**
   * Where it is not: why, and what to do.
   */
  error?: string;
}
/**
 * What the columns of the database allow.
 */
export interface DatabaseFeatures {
  unread_state: boolean;
  scheduled_messages: boolean;
  reactions: boolean;
  reply_context: boolean;
  routing_metadata: boolean;
  balloon_payloads: boolean;
}
/**
 * The private bridge of `imsg`, which imsgd does not have.
 */
export interface Bridge {
  ready: boolean;
  error: string;
}
/**
 * The owner's contacts, as they were read last.
 */
export interface Contacts {
  available: boolean;
  /**
   * Where they are not: why, and what to do.
   */
  error?: string;
}
export interface Capabilities {
  engine: Engine;
  /**
   * By name, which version of each.
   */
  features: {
    [k: string]: number | undefined;
  };
}
export interface Engine {
  version: string;
}
/**
 * How the daemon itself is doing.
 */
export interface DaemonState {
  pid: number;
  /**
   * The program that runs: the one that needs the permissions. Left out where the system does not tell.
   */
  executable?: string;
  config: ConfigState;
  state_dir: string;
  /**
   * Of `read`, `send` and `policy`, those that this connection has.
   */
  scopes: string[];
  /**
   * The newest row that has been judged. Nothing before the first look.
   */
  head: number | null;
  /**
   * How many there are now.
   */
  subscriptions: number;
  /**
   * Each of them.
   */
  subscribers: Subscriber[];
  consumers: Consumer[];
  /**
   * Where the owner paused sending.
   */
  sending_paused?: OutboxPause;
  /**
   * How many messages are held.
   */
  held: number;
  /**
   * How often each verdict was given since the start.
   */
  verdicts: {
    [k: string]: number | undefined;
  };
  last_error: string | null;
  lag: Lag;
  /**
   * Each state.db that was damaged and set aside, until its owner removes the file. Empty ones are left out.
   */
  state_lost?: StateLost[];
  plugins: Plugin[];
}
/**
 * The configuration in force.
 */
export interface ConfigState {
  path: string;
  /**
   * Why the file as it is now is not the one in force.
   */
  error: string | null;
}
/**
 * Who hears of what is delivered, and how far behind it is.
 */
export interface Subscriber {
  /**
   * Messages that wait for it to read.
   */
  waiting: number;
  /**
   * How many may, before it is cut off: its `buffer_limit`.
   */
  buffer: number;
}
/**
 * One of them.
 */
export interface Consumer {
  name: string;
  /**
   * Does it acknowledge? Otherwise its place moves with what is written to it.
   */
  ack: boolean;
  /**
   * Does a connection have it now?
   */
  connected: boolean;
  /**
   * Where it goes on, as `watch.ack` takes it.
   */
  cursor: string;
  /**
   * The same as a row.
   */
  resume_after_rowid: number;
  /**
   * How many rows of the database, of whatever kind, lie between its place and what was judged last. 0 where it has
   * taken all that there was for it.
   */
  behind_rows: number;
  created_at: string;
  /**
   * When its place was last kept.
   */
  moved_at: string;
}
/**
 * The owner's pause: nothing is handed to Messages.
 */
export interface OutboxPause {
  since: string;
  reason?: string;
}
/**
 * How late messages are, told apart by who was late.
 */
export interface Lag {
  /**
   * From when a live message was sent until imsgd saw it: Messages and the network.
   */
  messages: LagReading;
  /**
   * From the last write to the database until imsgd saw its rows.
   */
  imsgd: LagReading;
  /**
   * From when imsgd saw a message until its line was written to a subscriber's connection.
   */
  subscribers: LagReading;
  /**
   * Rows of the database after the newest that was judged. Null while that is not known.
   */
  rows_behind: number | null;
  /**
   * When the database was last written to.
   */
  database_changed_at: string | null;
  /**
   * When imsgd last looked whether it was.
   */
  database_looked_at: string | null;
  late: "nobody" | "starting" | "imsgd";
  /**
   * Who is late, for people.
   */
  sentence: string;
}
/**
 * One kind of lag, in microseconds. Null where nothing was measured.
 */
export interface LagReading {
  /**
   * Of the last message.
   */
  last_us: number | null;
  /**
   * The largest of the last hour.
   */
  largest_us: number | null;
}
/**
 * A state.db that was damaged: a new one was begun, and who was paired has to be approved again.
 */
export interface StateLost {
  /**
   * The damaged file.
   */
  path: string;
  /**
   * When it was set aside.
   */
  at: string;
  /**
   * What was wrong with it.
   */
  reason: string;
  /**
   * How many rows of it the new one has: the place in the stream, verdicts and sends, but nothing of plugins.
   */
  kept: number;
}
/**
 * A policy, and how it does.
 */
export interface Plugin {
  name: string;
  /**
   * `bundled`, or its file.
   */
  source: string;
  /**
   * What it answers to.
   */
  interfaces: string[];
  /**
   * `broken`: it judges nothing, and what it would judge is held. `refused`: it never could be loaded.
   */
  state: "ready" | "broken" | "refused";
  calls: number;
  failures: number;
  /**
   * Microseconds for a call, on average.
   */
  mean_us: number;
  /**
   * Microseconds that half of the calls stayed within, to an eighth. Absent before the first.
   */
  p50_us?: number;
  /**
   * The same of 99 in a hundred.
   */
  p99_us?: number;
  /**
   * Messages that are held now because of it: it failed on them, or wants their senders to introduce themselves.
   */
  held: number;
  /**
   * Bytes of memory that its instance has. Absent where it has none.
   */
  memory_bytes?: number;
  /**
   * The last few lines of its log; `plugins.log` has more.
   */
  log: PluginLogLine[];
  version?: string;
  loaded_at?: string;
  /**
   * Why it judges nothing.
   */
  broken?: string;
  /**
   * Why its newest file is not in force.
   */
  refused?: string;
  last_failure?: string;
}
/**
 * A line of a policy's log.
 */
export interface PluginLogLine {
  /**
   * Counts the lines of all policies since imsgd was started: later lines have greater numbers.
   */
  number: number;
  at: string;
  /**
   * Who wrote it. `imsgd` tells of failures, refusals, and of versions that come into force.
   */
  by: "plugin" | "imsgd";
  level: "debug" | "info" | "warn" | "error";
  text: string;
}
/**
 * Parameters of `watch.unsubscribe`.
 */
export interface WatchUnsubscribeParams {
  /**
   * The number that `watch.subscribe` gave. At least 1.
   */
  subscription: number;
}
/**
 * A subscription is over, and nothing of it follows. Also where there was none.
 */
export interface Unsubscribed {
  ok: boolean;
}
/**
 * Parameters of `chats.list`.
 */
export interface ChatsListParams {
  /**
   * How many at most. Default: 20. At least 1.
   */
  limit?: number;
  /**
   * Only chats with unread messages. Default: false.
   */
  unread_only?: boolean;
}
/**
 * Chats, the one with the newest message first.
 */
export interface Chats {
  chats: Chat[];
}
/**
 * A chat, as lists have it.
 */
export interface Chat {
  /**
   * Its row in the database of Messages.
   */
  id: number;
  /**
   * What a person would call it: its display name, else its identifier.
   */
  name: string;
  identifier: string;
  guid?: string;
  /**
   * As stored; the identifier where there is none.
   */
  display_name: string;
  /**
   * Whom a direct chat is with, where the owner's contacts know.
   */
  contact_name?: string;
  service: string;
  is_group: boolean;
  last_message_at: string;
  /**
   * The others in it.
   */
  participants: string[];
  account_id?: string;
  account_login?: string;
  /**
   * Which of the owner's addresses was used last.
   */
  last_addressed_handle?: string;
  /**
   * Absent where the database does not tell what was read.
   */
  unread_count?: number;
  /**
   * Other chats with the same person.
   */
  linked_chat_ids?: number[];
}
/**
 * Parameters of `chats.get`.
 */
export interface ChatsGetParams {
  /**
   * The chat's row. At least 1.
   */
  chat_id: number;
}
/**
 * One chat, without what only lists have.
 */
export interface Group {
  /**
   * Its row in the database of Messages.
   */
  id: number;
  identifier: string;
  guid: string;
  /**
   * The display name, which may be empty; the identifier where there is none.
   */
  name: string;
  service: string;
  is_group: boolean;
  /**
   * The others in it.
   */
  participants: string[];
  account_id?: string;
  account_login?: string;
  /**
   * Which of the owner's addresses was used last.
   */
  last_addressed_handle?: string;
  /**
   * Other chats with the same person.
   */
  linked_chat_ids?: number[];
}
/**
 * Parameters of `messages.stats`.
 */
export interface MessagesStatsParams {
  /**
   * Only this chat, by its row. Absent: all chats. At least 1.
   */
  chat_id?: number;
  /**
   * An IANA name, for `dates`. Absent: the zone of the machine.
   */
  time_zone?: string;
  /**
   * Also count attachments. Default: false.
   */
  include_media?: boolean;
}
/**
 * How many messages there are. Tapbacks and previews of links are not counted. The greatest count comes first, but
 * `dates` begin with the earliest.
 */
export interface MessageStats {
  total_messages: number;
  sent_messages: number;
  received_messages: number;
  /**
   * Whose midnights separate the days.
   */
  time_zone: string;
  chats: ChatCount[];
  /**
   * Of received messages.
   */
  senders: SenderCount[];
  services: ServiceCount[];
  dates: DateCount[];
  /**
   * Only where it was asked for.
   */
  media?: MediaStats;
}
export interface ChatCount {
  chat_id: number;
  identifier: string;
  name: string;
  service: string;
  message_count: number;
}
export interface SenderCount {
  handle: string;
  message_count: number;
}
export interface ServiceCount {
  service: string;
  message_count: number;
}
export interface DateCount {
  /**
   * Year, month and day.
   */
  date: string;
  message_count: number;
}
/**
 * How many attachments there are.
 */
export interface MediaStats {
  total_attachments: number;
  total_bytes: number;
  types: MediaTypeCount[];
  chats: ChatMediaCount[];
}
export interface MediaTypeCount {
  uti: string;
  mime_type: string;
  attachment_count: number;
  total_bytes: number;
}
export interface ChatMediaCount {
  chat_id: number;
  identifier: string;
  name: string;
  attachment_count: number;
  total_bytes: number;
}
/**
 * Parameters of `messages.history`.
 */
export interface MessagesHistoryParams {
  /**
   * The chat's row. At least 1.
   */
  chat_id: number;
  /**
   * How many at most. Default: 50. At least 1.
   */
  limit?: number;
  /**
   * Only messages from these handles. Absent or empty: from anybody.
   */
  participants?: string[];
  /**
   * Not before this time.
   */
  start?: string;
  /**
   * Before this time.
   */
  end?: string;
  /**
   * Fill `attachments` of each message. Default: false.
   */
  attachments?: boolean;
  /**
   * Also offer a converted file for what models cannot read, where a converter is at hand. Default: false.
   */
  convert_attachments?: boolean;
}
/**
 * Messages, the newest first.
 */
export interface Messages {
  messages: Message[];
}
/**
 * A message. Fields without a value are left out.
 */
export interface Message {
  /**
   * Its row in the database of Messages.
   */
  id: number;
  /**
   * The chat's row; 0 where Messages has not put it into a chat.
   */
  chat_id: number;
  guid: string;
  /**
   * Phone number or e-mail address of who wrote it.
   */
  sender: string;
  text: string;
  is_from_me: boolean;
  created_at: string;
  /**
   * Empty unless attachments were asked for.
   */
  attachments: Attachment[];
  /**
   * Tapbacks that stand. Subscriptions fill this only with `include_reactions`.
   */
  reactions: Reaction[];
  chat_identifier: string;
  chat_guid: string;
  chat_name: string;
  /**
   * The others in the chat.
   */
  participants: string[];
  is_group: boolean;
  /**
   * Who wrote it, where the owner's contacts know.
   */
  sender_name?: string;
  /**
   * What carried it, as `iMessage`, `SMS` or `RCS`.
   */
  service: string;
  /**
   * The message that this one answers.
   */
  reply_to_guid?: string;
  /**
   * The first message of the thread.
   */
  thread_originator_guid?: string;
  /**
   * Which part of that message the thread is about.
   */
  thread_originator_part?: string;
  /**
   * What the answered message says, where it is in the database.
   */
  reply_to_text?: string;
  reply_to_sender?: string;
  /**
   * Which of the owner's addresses it was sent to or from.
   */
  destination_caller_id?: string;
  /**
   * The extension that shows it, for link previews, polls and the like.
   */
  balloon_bundle_id?: string;
  /**
   * The preview of the link in the text, which is a row of its own in the database.
   */
  url_preview?: UrlPreview;
  /**
   * Received messages: has the owner read it?
   */
  is_read?: boolean;
  date_read?: string;
  /**
   * True for the row of a tapback.
   */
  is_reaction?: boolean;
  reaction_type?: "love" | "like" | "dislike" | "laugh" | "emphasis" | "question" | "custom" | "sticker";
  reaction_emoji?: string;
  /**
   * False where the tapback was taken back.
   */
  is_reaction_add?: boolean;
  /**
   * The message that the tapback is about.
   */
  reacted_to_guid?: string;
  /**
   * Some part was edited. Absent where none was.
   */
  is_edited?: boolean;
  /**
   * Of the last edit or retraction.
   */
  edited_at?: string;
  /**
   * What each edited part has said, oldest first.
   */
  edits?: Edit[];
  /**
   * All of it was taken back. Absent where it was not.
   */
  is_unsent?: boolean;
  /**
   * The parts that were taken back.
   */
  unsent_parts?: number[];
  /**
   * What drew a balloon, so that an empty text has a reason.
   */
  app?: App;
  /**
   * What happened, in a row that is no message.
   */
  event?: Event;
  poll?: Poll;
  /**
   * Notifications: everything up to this row has been delivered.
   */
  cursor?: number;
  /**
   * Delivered messages of others: what the policies said.
   */
  policy?: MessagePolicy;
}
/**
 * A file that came with a message.
 */
export interface Attachment {
  /**
   * What `attachments.read` takes.
   */
  guid?: string;
  /**
   * As the database has it, often beginning with `~/`.
   */
  filename: string;
  /**
   * The name that the sender gave it.
   */
  transfer_name: string;
  uti: string;
  mime_type: string;
  total_bytes: number;
  is_sticker: boolean;
  /**
   * Where it is on the machine of imsgd.
   */
  original_path: string;
  /**
   * Is there no such file? Messages may not have fetched it yet.
   */
  missing: boolean;
  /**
   * Where it is in a form that models take. Only where that was asked for and could be made.
   */
  converted_path?: string;
  converted_mime_type?: string;
  /**
   * How far Messages is with the file, as it wrote it down.
   */
  transfer_state?:
    | "archiving"
    | "waiting_for_accept"
    | "accepted"
    | "preparing"
    | "transferring"
    | "finalizing"
    | "finished"
    | "error"
    | "recoverable_error";
}
/**
 * A tapback that stands.
 */
export interface Reaction {
  /**
   * The tapback's row.
   */
  id: number;
  type: "love" | "like" | "dislike" | "laugh" | "emphasis" | "question" | "custom" | "sticker";
  emoji: string;
  sender: string;
  /**
   * Whose it is, where the owner's contacts know.
   */
  sender_name?: string;
  is_from_me: boolean;
  created_at: string;
}
/**
 * The row of a link's preview.
 */
export interface UrlPreview {
  id: number;
  guid: string;
  balloon_bundle_id: string;
  created_at: string;
}
/**
 * One version of one part of a message. The first is what was sent, the last is what is there now.
 */
export interface Edit {
  part: number;
  text: string;
  edited_at: string;
}
export interface App {
  name: string;
  bundle_id: string;
}
export interface Event {
  kind: string;
  name?: string;
  handle?: string;
}
/**
 * A poll, a vote or more choices. Keys that say nothing are left out.
 */
export interface Poll {
  kind: string;
  event: string;
  poll_guid?: string;
  question?: string;
  options?: PollOption[];
  vote?: PollVote;
  votes?: PollVote[];
  original_guid?: string;
  creator?: string;
  participants?: string[];
  metadata: PollMetadata;
}
export interface PollOption {
  id: string;
  text: string;
}
export interface PollVote {
  option_id: string;
  option_text?: string;
  participant?: string;
  event_type: string;
  server_time?: string;
}
export interface PollMetadata {
  bundle_id?: string;
  associated_message_type?: number;
  payload_bytes?: number;
  summary_bytes?: number;
  url_scheme?: string;
  url_host?: string;
  query_keys?: string[];
}
/**
 * What the policies said of a message.
 */
export interface MessagePolicy {
  /**
   * Where it goes: subscriptions pick by it.
   */
  route: string;
  labels: string[];
  /**
   * The policy that admitted it.
   */
  decided_by?: string;
  /**
   * `live`, `catch-up` (written while nobody watched) or `backfill` (an old one that a sync wrote only now).
   */
  arrival: "live" | "catch-up" | "backfill";
  /**
   * True where it was held before, and released.
   */
  held?: boolean;
  /**
   * Messages of the same chat that were observed, but not delivered, since the last one that was.
   */
  context: ContextMessage[];
}
/**
 * An observed message that rides along with a delivered one.
 */
export interface ContextMessage {
  id: number;
  guid: string;
  sender: string;
  /**
   * Who wrote it, where the owner's contacts know.
   */
  sender_name?: string;
  text: string;
  created_at: string;
  /**
   * How many attachments it has.
   */
  attachments: number;
}
/**
 * Parameters of `messages.search`.
 */
export interface MessagesSearchParams {
  /**
   * What to look for; spaces around it do not count.
   */
  query: string;
  /**
   * Whether the text contains it, or is exactly it. Default: "contains".
   */
  match?: "contains" | "exact";
  /**
   * How many at most. Default: 50. At least 1. At most 100.
   */
  limit?: number;
}
/**
 * Parameters of `messages.after`.
 */
export interface MessagesAfterParams {
  /**
   * Rows after this one; 0, or -1, for all. Go on with `next_rowid` of the answer. At least -1.
   */
  since_rowid: number;
  /**
   * Only this chat, by its row. Absent: all chats. At least 1.
   */
  chat_id?: number;
  /**
   * How many at most. Default: 100. At least 1. At most 500.
   */
  limit?: number;
  /**
   * Fill `attachments` of each message. Default: false.
   */
  attachments?: boolean;
  /**
   * Also offer a converted file for what models cannot read, where a converter is at hand. Default: false.
   */
  convert_attachments?: boolean;
  /**
   * Also give the rows of tapbacks. Default: false.
   */
  include_reactions?: boolean;
}
/**
 * What follows a row, in the order of rows.
 */
export interface MessagesPage {
  messages: Message[];
  /**
   * The last row that was looked at, which is where to go on: `since_rowid` of the next request.
   */
  next_rowid: number;
  /**
   * Is there more? A page may be empty and yet have more after it.
   */
  has_more: boolean;
}
/**
 * Parameters of `messages.export`.
 */
export interface MessagesExportParams {
  /**
   * Rows after this one; 0, or -1, for all. Go on with `next_rowid` of the answer, or anywhere. At least -1.
   */
  since_rowid: number;
  /**
   * As many row numbers after it, whether or not there are such rows. Default: 500. At least 1. At most 2000.
   */
  limit?: number;
  /**
   * Fill `attachments` of each message. Default: false.
   */
  attachments?: boolean;
  /**
   * Also offer a converted file for what models cannot read, where a converter is at hand. Default: false.
   */
  convert_attachments?: boolean;
}
/**
 * Parameters of `messages.scheduled`.
 */
export interface MessagesScheduledParams {
  /**
   * How many at most. Default: 50. At least 1.
   */
  limit?: number;
}
/**
 * Messages that are to be sent later, the next one first.
 */
export interface ScheduledMessages {
  messages: ScheduledMessage[];
}
/**
 * A message that is to be sent later.
 */
export interface ScheduledMessage {
  id: number;
  guid: string;
  chat_id: number;
  chat_identifier: string;
  chat_guid: string;
  chat_name: string;
  text: string;
  service: string;
  scheduled_at: string;
  /**
   * As Messages wrote it.
   */
  schedule_type: number;
  /**
   * As Messages wrote it.
   */
  schedule_state: number;
}
/**
 * Parameters of `watch.subscribe`.
 */
export interface WatchSubscribeParams {
  /**
   * Only this chat, by its row. Absent: all chats. At least 1.
   */
  chat_id?: number;
  /**
   * First what came after this row. Absent or 0: only what comes; -1: everything. Of a consumer: where it begins when it is new.
   */
  since_rowid?: number;
  /**
   * Only messages from these handles. Absent or empty: from anybody.
   */
  participants?: string[];
  /**
   * Not before this time.
   */
  start?: string;
  /**
   * Before this time.
   */
  end?: string;
  /**
   * Fill `attachments` of each message. Default: false.
   */
  attachments?: boolean;
  /**
   * Also offer a converted file for what models cannot read, where a converter is at hand. Default: false.
   */
  convert_attachments?: boolean;
  /**
   * Also give the rows of tapbacks. Default: false.
   */
  include_reactions?: boolean;
  /**
   * How long a row may wait for its other parts. Default: 500. At least 0.
   */
  debounce_ms?: number;
  /**
   * How many messages may wait for this subscriber before it is cut off with `watch.overflow`. Default: 256. At least 1. At most 4096.
   */
  buffer_limit?: number;
  /**
   * Only these routes; `group:*` stands for all that begin so. Absent or empty: all.
   */
  routes?: string[];
  /**
   * Also `message.updated`, when a delivered message is edited or unsent. Default: false.
   */
  include_edits?: boolean;
  /**
   * Also old messages that a sync or a restore wrote only now. Default: false.
   */
  include_backfill?: boolean;
  /**
   * Keep the place of this subscription under a name, and go on there whenever it subscribes again. One connection at a time.
   */
  consumer?: string;
  /**
   * The place moves with `watch.ack` only, so that what was not acknowledged comes again. Without it, the place moves with what was written. Default: false.
   */
  ack?: boolean;
}
/**
 * A subscription began. Its first notification comes after this answer.
 */
export interface Subscribed {
  /**
   * Its number, which is in each of its notifications and ends it.
   */
  subscription: number;
  buffer_limit: number;
}
/**
 * Parameters of `watch.ack`.
 */
export interface WatchAckParams {
  /**
   * The number that `watch.subscribe` gave. At least 1.
   */
  subscription: number;
  /**
   * That of the last message that need not come again.
   */
  cursor: string;
}
/**
 * An acknowledgement is kept.
 */
export interface Acknowledged {
  ok: boolean;
}
/**
 * Who has a name and a place in the stream.
 */
export interface Consumers {
  consumers: Consumer[];
}
/**
 * Parameters of `consumers.remove`.
 */
export interface ConsumersRemoveParams {
  /**
   * The name that `watch.subscribe` was given.
   */
  consumer: string;
}
/**
 * It is forgotten.
 */
export interface ConsumerRemoved {
  ok: boolean;
}
/**
 * Parameters of `message.send_status`.
 */
export interface MessageSendStatusParams {
  /**
   * The message that was sent, as `send` named it.
   */
  guid: string;
}
/**
 * What Messages wrote down about a message that was sent.
 */
export interface Delivery {
  ok: boolean;
  /**
   * As stored; as asked where it is not in the database.
   */
  guid: string;
  /**
   * `pending` also where it is not in the database.
   */
  send_state: "pending" | "sent" | "delivered" | "failed";
  service: string | null;
  checked_at: string;
  delivered_at?: string;
  /**
   * Nothing where it is not in the database.
   */
  status_fields: StatusFields | null;
}
/**
 * The columns of its row; what the database does not have is false or 0.
 */
export interface StatusFields {
  is_sent: boolean;
  is_delivered: boolean;
  is_finished: boolean;
  error: number;
  date_delivered: string | null;
  date_read: string | null;
  is_delayed: boolean;
  is_prepared: boolean;
  is_pending_satellite_send: boolean;
  was_downgraded: boolean;
}
/**
 * Parameters of `attachments.read`.
 */
export interface AttachmentsReadParams {
  /**
   * The attachment, as its object in a message has it.
   */
  guid: string;
  /**
   * Where to begin, in bytes. Default: 0. At least 0.
   */
  offset?: number;
  /**
   * How many bytes at most. Default: 262144. At least 1. At most 1048576.
   */
  length?: number;
  /**
   * Of the converted file, where the attachment is of a form that is converted. Default: false.
   */
  converted?: boolean;
}
/**
 * A piece of a file.
 */
export interface AttachmentPiece {
  guid: string;
  /**
   * Where the piece begins, in bytes.
   */
  offset: number;
  /**
   * How many bytes it has.
   */
  length: number;
  /**
   * Of the file as it is on disk.
   */
  total_bytes: number;
  /**
   * Does nothing follow this piece?
   */
  eof: boolean;
  /**
   * The bytes, as base64 with padding.
   */
  data: string;
  mime_type: string;
  uti: string;
  transfer_name: string;
  /**
   * Are the bytes those of the converted file? Type and name are its own then.
   */
  converted: boolean;
}
/**
 * Parameters of `send`.
 */
export interface SendParams {
  /**
   * A phone number, an e-mail address or a contact's name. This, or exactly one chat selector.
   */
  to?: string;
  /**
   * The chat's row. At least 1.
   */
  chat_id?: number;
  /**
   * The chat's identifier.
   */
  chat_identifier?: string;
  /**
   * The chat's GUID.
   */
  chat_guid?: string;
  /**
   * What to say. This, or `file`, or both.
   */
  text?: string;
  /**
   * A file on the machine where imsgd runs.
   */
  file?: string;
  /**
   * How to send to a recipient. Default: "auto".
   */
  service?: "auto" | "imessage" | "sms";
  /**
   * `bridge` is refused: imsgd has no private bridge into Messages. Default: "auto".
   */
  transport?: "auto" | "applescript" | "bridge";
  /**
   * The country that a number without a prefix is of, as in `US`. Absent: the owner's.
   */
  region?: string;
  /**
   * Try SMS where a number has no iMessage, after a first attempt that surely did not leave. Default: true.
   */
  allow_sms_fallback?: boolean;
  /**
   * Taken and not used: AppleScript sends plain text.
   */
  text_formatting?: {}[];
  /**
   * Refused unless empty: AppleScript cannot send threaded replies.
   */
  reply_to?: string;
  /**
   * Between 1 and 256 bytes. With the same key a message leaves only once.
   */
  idempotency_key?: string;
}
/**
 * A message left. What was not observed, because the database cannot be read, is left out.
 */
export interface Sent {
  /**
   * Always true: a failure is an error.
   */
  ok: boolean;
  transport: "applescript";
  /**
   * The row of the message, or of its last piece.
   */
  id?: number;
  guid?: string;
  /**
   * The same as `guid`.
   */
  message_id?: string;
  service?: string;
  chat_guid?: string;
  chat_id?: number;
  /**
   * All pieces, where a long text was cut or a file came with it.
   */
  parts: SentPart[];
}
/**
 * One piece of what left.
 */
export interface SentPart {
  id: number;
  guid: string;
}
/**
 * Parameters of `react`.
 */
export interface ReactParams {
  /**
   * The chat's row. The reaction goes to its newest message. At least 1.
   */
  chat_id: number;
  /**
   * `love`, `like`, `dislike`, `laugh`, `emphasis`, `question`, or their emoji.
   */
  reaction: string;
}
/**
 * A reaction was made, and seen.
 */
export interface Reacted {
  /**
   * Always true: a failure is an error.
   */
  ok: boolean;
  chat_id: number;
  reaction_type: "love" | "like" | "dislike" | "laugh" | "emphasis" | "question";
  reaction_emoji: string;
  /**
   * The row of the reaction.
   */
  id: number;
  guid: string;
  /**
   * The message that it stands on.
   */
  reacted_to_guid: string;
}
/**
 * Strangers who wait, and who was let in.
 */
export interface Pairings {
  pending: PairingRequest[];
  /**
   * Addresses that were let in with a code.
   */
  paired: string[];
}
/**
 * A stranger who was given a code.
 */
export interface PairingRequest {
  code: string;
  address: string;
  requested_at: string;
  expires_at: string;
}
/**
 * Parameters of `pairing.approve`.
 */
export interface PairingApproveParams {
  /**
   * The code that the stranger was given.
   */
  code: string;
}
/**
 * A stranger was let in.
 */
export interface Approved {
  ok: boolean;
  address: string;
  /**
   * How many messages that waited were judged again.
   */
  released: number;
}
/**
 * Parameters of `pairing.deny`.
 */
export interface PairingDenyParams {
  /**
   * The code that the stranger was given.
   */
  code: string;
}
/**
 * A request was turned down.
 */
export interface Denied {
  ok: boolean;
  address: string;
}
/**
 * Parameters of `pairing.revoke`.
 */
export interface PairingRevokeParams {
  /**
   * Who was let in, as `pairing.list` has it.
   */
  address: string;
}
/**
 * An approval was taken back.
 */
export interface Revoked {
  ok: boolean;
  was_paired: boolean;
}
/**
 * Parameters of `held.list`.
 */
export interface HeldListParams {
  /**
   * How many at most. Default: 100. At least 1. At most 500.
   */
  limit?: number;
  /**
   * Go on after the message with this guid: `next` of the page before.
   */
  after?: string;
}
/**
 * Held messages, in the order of their rows.
 */
export interface HeldMessages {
  held: HeldMessage[];
  /**
   * How many there are in all.
   */
  total: number;
  /**
   * The next page begins `after` this one. Null at the end.
   */
  next: string | null;
}
/**
 * A message that is held. What it says is not in here.
 */
export interface HeldMessage {
  /**
   * Its row; 0 where the database has it no more.
   */
  id: number;
  guid: string;
  /**
   * As compared: E.164 number or lower-case e-mail address.
   */
  sender: string;
  sender_name?: string;
  chat_id: number;
  sent_at: string;
  /**
   * When it was first seen.
   */
  held_since: string;
  /**
   * A stranger waits to be let in, or a policy failed.
   */
  cause: "stranger" | "policy_failed";
  /**
   * The policy that holds it.
   */
  policy?: Decider;
  /**
   * How the policy failed, or `introduction` with the message for which a code was made and `introduction_waiting`
   * with those after it.
   */
  reason?: string;
}
/**
 * A policy, and which version of it.
 */
export interface Decider {
  name: string;
  /**
   * Empty where it could not be loaded, and of the owner.
   */
  version: string;
}
/**
 * Parameters of `held.show`.
 */
export interface HeldShowParams {
  /**
   * The message.
   */
  guid?: string;
  /**
   * The message's row.
   */
  rowid?: number;
}
/**
 * One held message with what it says.
 */
export interface HeldShown {
  held: HeldMessage;
  /**
   * Absent where the database has it no more.
   */
  message?: Message;
}
/**
 * Parameters of `held.release`.
 */
export interface HeldReleaseParams {
  /**
   * The message.
   */
  guid?: string;
  /**
   * The message's row.
   */
  rowid?: number;
  /**
   * All held messages of this address.
   */
  sender?: string;
  /**
   * All held messages. Default: false.
   */
  all?: boolean;
}
/**
 * What became of held messages that were released or dropped.
 */
export interface HeldHandled {
  /**
   * Always true: a failure is an error. Some may still be held.
   */
  ok: boolean;
  /**
   * How many got each verdict; `held` is those that a policy still cannot judge.
   */
  verdicts: {
    [k: string]: number | undefined;
  };
  /**
   * How many could not be released, as the database has them no more. They stay held.
   */
  missing: number;
  /**
   * The first hundred, in the order of their rows.
   */
  messages: HeldOutcome[];
}
/**
 * What became of one of them.
 */
export interface HeldOutcome {
  id: number;
  guid: string;
  sender: string;
  verdict: "delivered" | "observed" | "held" | "rejected" | "dropped" | "folded" | "echo" | "unjoined";
  /**
   * `owner` where the owner's word let it in or kept it out.
   */
  decided_by?: Decider;
  reason?: string;
}
/**
 * Parameters of `held.drop`.
 */
export interface HeldDropParams {
  /**
   * The message.
   */
  guid?: string;
  /**
   * The message's row.
   */
  rowid?: number;
  /**
   * All held messages of this address.
   */
  sender?: string;
  /**
   * All held messages. Default: false.
   */
  all?: boolean;
}
/**
 * Parameters of `journal.explain`.
 */
export interface JournalExplainParams {
  /**
   * The message. This, or `rowid`.
   */
  guid?: string;
  /**
   * The message's row.
   */
  rowid?: number;
}
/**
 * What became of one message.
 */
export interface Explanation {
  /**
   * Do the database or the journal know it? Where not, only `story` follows.
   */
  found: boolean;
  /**
   * Judged, or why it has not been: it is the owner's own, a reaction, from before imsgd, so old that the journal has
   * forgotten it, or still to come.
   */
  state: "judged" | "unknown" | "own" | "reaction" | "before_imsgd" | "forgotten" | "not_yet";
  id?: number;
  guid?: string;
  sender?: string;
  /**
   * 0 where it is in no chat.
   */
  chat_id?: number;
  verdict?: "delivered" | "observed" | "held" | "rejected" | "dropped" | "folded" | "echo" | "unjoined";
  reason?: string;
  /**
   * Absent where no policy had an opinion.
   */
  decided_by?: Decider;
  route?: string;
  labels?: string[];
  arrival?: "live" | "catch-up" | "backfill";
  sent_at?: string;
  seen_at?: string;
  /**
   * Microseconds from when it was seen until the first policy was asked. Of a message that was held, until it was
   * judged again.
   */
  waited_us?: number;
  /**
   * Microseconds that the policies took.
   */
  judged_us?: number;
  /**
   * Which policies were asked, in their order.
   */
  stages?: JudgingStage[];
  /**
   * Of an observed message: the row of the delivered one that it went out with as context.
   */
  carried_by?: number;
  /**
   * The same in sentences, for people.
   */
  story: string[];
}
/**
 * How long one policy took.
 */
export interface JudgingStage {
  policy: string;
  /**
   * Microseconds.
   */
  us: number;
}
/**
 * Parameters of `outbox.list`.
 */
export interface OutboxListParams {
  /**
   * How many. Default: 50. At least 1. At most 500.
   */
  limit?: number;
  /**
   * Only those in this state. Default: "all".
   */
  state?: "all" | "queued" | "handed" | "seen" | "failed" | "unconfirmed";
  /**
   * Only those before this `id`: the next page. At least 1.
   */
  before?: number;
}
/**
 * What was sent and is to be sent, the newest first.
 */
export interface Outgoing {
  sends: OutboxRecord[];
  /**
   * Where the owner paused sending.
   */
  paused?: OutboxPause;
}
/**
 * One send, as it is written down. Never its text.
 */
export interface OutboxRecord {
  id: number;
  /**
   * `queued`: nothing was handed to Messages. `handed`: something was, and its row is waited for. `seen`: all of it
   * is in the database. `failed`: it surely did not leave. `unconfirmed`: nobody knows.
   */
  state: "queued" | "handed" | "seen" | "failed" | "unconfirmed";
  /**
   * `answer` is a policy's answer to a stranger.
   */
  kind: "send" | "answer" | "reaction";
  /**
   * The chat by its guid or identifier, else the recipient. Absent for what an older version wrote down.
   */
  target?: string;
  created_at: string;
  updated_at: string;
  /**
   * Rows that were seen of it.
   */
  message_ids: number[];
  /**
   * Why it failed or is not confirmed.
   */
  error?: string;
}
/**
 * Parameters of `outbox.pause`.
 */
export interface OutboxPauseParams {
  /**
   * What clients are told, in 200 characters at most.
   */
  reason?: string;
}
/**
 * Sending was paused.
 */
export interface SendingPaused {
  ok: boolean;
  paused: OutboxPause;
}
/**
 * Sending goes on.
 */
export interface SendingResumed {
  ok: boolean;
  /**
   * False where it went on all the time.
   */
  was_paused: boolean;
}
/**
 * Parameters of `journal.list`.
 */
export interface JournalListParams {
  /**
   * How many at most. Default: 50. At least 1. At most 500.
   */
  limit?: number;
  /**
   * Only these.
   */
  verdict?: "delivered" | "observed" | "held" | "rejected" | "dropped" | "folded" | "echo" | "unjoined";
  /**
   * Only this chat, by its row. Absent: all chats. At least 1.
   */
  chat_id?: number;
  /**
   * Only messages of this address.
   */
  sender?: string;
  /**
   * Older than the entry with this guid: `next` of the page before.
   */
  before?: string;
}
/**
 * Entries of the journal, the newest first.
 */
export interface JournalPage {
  entries: JournalEntry[];
  /**
   * The next page is `before` this one. Null at the end.
   */
  next: string | null;
}
/**
 * What became of one message. Not what it says.
 */
export interface JournalEntry {
  id: number;
  guid: string;
  sender: string;
  /**
   * 0 where it is in no chat.
   */
  chat_id: number;
  sender_name?: string;
  verdict: "delivered" | "observed" | "held" | "rejected" | "dropped" | "folded" | "echo" | "unjoined";
  reason?: string;
  /**
   * Absent where no policy had an opinion.
   */
  decided_by?: Decider;
  route?: string;
  labels: string[];
  arrival: "live" | "catch-up" | "backfill";
  sent_at: string;
  seen_at: string;
  /**
   * Microseconds from when it was seen until the first policy was asked. Of a message that was held, until it was
   * judged again.
   */
  waited_us: number;
  /**
   * Microseconds that the policies took.
   */
  judged_us: number;
  /**
   * Which policies were asked, in their order.
   */
  stages: JudgingStage[];
  /**
   * Of an observed message: the row of the delivered one that it went out with as context.
   */
  carried_by?: number;
}
/**
 * Parameters of `journal.subscribe`.
 */
export interface JournalSubscribeParams {
  /**
   * Only these.
   */
  verdict?: "delivered" | "observed" | "held" | "rejected" | "dropped" | "folded" | "echo" | "unjoined";
  /**
   * Only this chat, by its row. Absent: all chats. At least 1.
   */
  chat_id?: number;
  /**
   * Only messages of this address.
   */
  sender?: string;
}
/**
 * The policies, in the order in which they are asked.
 */
export interface Plugins {
  plugins: Plugin[];
}
/**
 * Parameters of `plugins.log`.
 */
export interface PluginsLogParams {
  /**
   * Which policy, as `plugins.list` names it.
   */
  name: string;
  /**
   * How many of the last lines. Default: 100. At least 1. At most 100.
   */
  limit?: number;
}
/**
 * The log of one policy, the oldest line first.
 */
export interface PluginLog {
  name: string;
  lines: PluginLogLine[];
}
/**
 * Parameters of `plugins.follow`.
 */
export interface PluginsFollowParams {
  /**
   * Which policy, as `plugins.list` names it.
   */
  name: string;
}
/**
 * What reading configuration and plugins anew has changed.
 */
export interface Reloaded {
  /**
   * Was nothing refused?
   */
  ok: boolean;
  changed: string[];
  removed: string[];
  refused: RefusedPlugin[];
}
/**
 * A plugin that was not taken. Where an older version ran, it still does.
 */
export interface RefusedPlugin {
  name: string;
  reason: string;
}
/**
 * Parameters of `policy.replay`.
 */
export interface PolicyReplayParams {
  /**
   * The candidate: a component in base64, as long as a line may be. It takes the place of the plugin of its name.
   */
  plugin?: string;
  /**
   * Instead: the path of a component where the daemon runs.
   */
  plugin_path?: string;
  /**
   * The name of that plugin. Absent: that of the file, without its extension.
   */
  name?: string;
  /**
   * The candidate: the text of a whole configuration file, as if it were in force.
   */
  config?: string;
  /**
   * Only messages that were not sent before this time.
   */
  since?: string;
  /**
   * Only messages that were sent before this time.
   */
  until?: string;
  /**
   * Only this chat, by its row. Absent: all chats. At least 1.
   */
  chat_id?: number;
  /**
   * Examples of each change at most. Default: 3. At least 0. At most 50.
   */
  examples?: number;
  /**
   * Senders at most, and as many chats. Default: 20. At least 1. At most 1000.
   */
  limit?: number;
}
/**
 * What a candidate would have decided otherwise than what is in force.
 */
export interface Replay {
  /**
   * Messages that both sides have judged.
   */
  judged: number;
  same: number;
  different: number;
  /**
   * It was told to stop before all was judged: what follows is of the oldest part.
   */
  stopped_early: boolean;
  /**
   * When the first and the last of these messages were sent. Absent where there was none.
   */
  first_at?: string;
  last_at?: string;
  took_ms: number;
  /**
   * Judged by both sides within a second.
   */
  messages_per_second: number;
  present: ReplaySide;
  candidate: ReplaySide;
  changes: ReplayChanges;
  /**
   * Those of whom most is different, the most first.
   */
  senders: ReplaySender[];
  /**
   * How many there are in all.
   */
  senders_different: number;
  chats: ReplayChat[];
  chats_different: number;
  /**
   * The newest ones of each change, of as many senders as there are.
   */
  examples: ReplayExample[];
}
/**
 * One set of policies.
 */
export interface ReplaySide {
  verdicts: ReplayVerdicts;
  /**
   * In the order in which they are asked.
   */
  policies: ReplayPolicy[];
}
/**
 * What became of how many messages.
 */
export interface ReplayVerdicts {
  delivered: number;
  observed: number;
  /**
   * Of strangers who wait to be let in.
   */
  held: number;
  /**
   * Held because a policy failed.
   */
  failed: number;
  rejected: number;
  dropped: number;
}
/**
 * What one policy cost.
 */
export interface ReplayPolicy {
  name: string;
  /**
   * Empty where it could not be loaded.
   */
  version: string;
  /**
   * How often this side asked it.
   */
  calls: number;
  failures: number;
  last_failure?: string;
  /**
   * It is the same on both sides and was asked once for both: its times are those of both.
   */
  shared: boolean;
  /**
   * Microseconds for a call; the quantiles are at most an eighth too much.
   */
  mean_us: number;
  p50_us: number;
  p99_us: number;
  total_ms: number;
}
/**
 * How many messages the candidate treats otherwise, by what it does with them.
 */
export interface ReplayChanges {
  admitted: number;
  observed: number;
  held: number;
  /**
   * Held because a policy failed.
   */
  failed: number;
  rejected: number;
  dropped: number;
  /**
   * Delivered by both, to different routes.
   */
  routed: number;
  /**
   * Delivered by both to the same route, with other labels.
   */
  labelled: number;
  /**
   * Rejected or dropped by both, for another reason.
   */
  reason: number;
}
/**
 * What is different for one sender.
 */
export interface ReplaySender {
  sender: string;
  sender_name?: string;
  different: number;
  changes: ReplayChanges;
}
/**
 * What is different in one chat.
 */
export interface ReplayChat {
  chat_id: number;
  chat_name: string;
  is_group: boolean;
  different: number;
  changes: ReplayChanges;
}
/**
 * A message of which the two sides think differently.
 */
export interface ReplayExample {
  change: "admitted" | "observed" | "held" | "failed" | "rejected" | "dropped" | "routed" | "labelled" | "reason";
  id: number;
  guid: string;
  chat_id: number;
  sender: string;
  sender_name?: string;
  created_at: string;
  /**
   * Its beginning.
   */
  text: string;
  present: ReplayVerdict;
  candidate: ReplayVerdict;
}
/**
 * What one side decided.
 */
export interface ReplayVerdict {
  verdict: "delivered" | "observed" | "held" | "rejected" | "dropped";
  reason?: string;
  /**
   * Absent where no policy had an opinion.
   */
  decided_by?: Decider;
  route?: string;
  labels: string[];
}
/**
 * What `policy.replay_stop` has done.
 */
export interface ReplayStopped {
  ok: boolean;
  /**
   * Was there one? It is answered with what it has so far.
   */
  stopped: boolean;
}
/**
 * Parameters of `config.get`.
 */
export interface ConfigGetParams {
  /**
   * As `config.set` takes it. Absent: all that the file says.
   */
  key?: string;
}
/**
 * What the configuration file says.
 */
export interface ConfigValue {
  /**
   * In its usual spelling. Absent where all was asked for.
   */
  key?: string;
  /**
   * False where the file says nothing of it, and the default is in force.
   */
  set: boolean;
  /**
   * Absent where it is not set.
   */
  value?: {
    [k: string]: unknown | undefined;
  };
}
/**
 * Parameters of `config.set`.
 */
export interface ConfigSetParams {
  /**
   * Dotted as in TOML, where a part may stand in quotes. A plugin's table goes by its name.
   */
  key: string;
  /**
   * What it is to be, as the configuration's schema has it.
   */
  value: {
    [k: string]: unknown | undefined;
  };
}
/**
 * The file says so, and what it says is in force.
 */
export interface ConfigChanged {
  ok: boolean;
  /**
   * In its usual spelling.
   */
  key: string;
  /**
   * False where the file said so before.
   */
  changed: boolean;
  /**
   * What the file says of it now. Absent where it says nothing, and the default is in force.
   */
  value?: {
    [k: string]: unknown | undefined;
  };
  /**
   * It takes effect only when imsgd is started again.
   */
  restart_needed: boolean;
}
/**
 * Parameters of `config.unset`.
 */
export interface ConfigUnsetParams {
  /**
   * Dotted as in TOML, where a part may stand in quotes. A plugin's table goes by its name.
   */
  key: string;
}
/**
 * Parameters of `config.add`.
 */
export interface ConfigAddParams {
  /**
   * Dotted as in TOML, where a part may stand in quotes. A plugin's table goes by its name.
   */
  key: string;
  /**
   * One entry of the list.
   */
  value: {
    [k: string]: unknown | undefined;
  };
}
/**
 * Parameters of `config.remove`.
 */
export interface ConfigRemoveParams {
  /**
   * Dotted as in TOML, where a part may stand in quotes. A plugin's table goes by its name.
   */
  key: string;
  /**
   * One entry of the list.
   */
  value: {
    [k: string]: unknown | undefined;
  };
}
/**
 * The owner's accounts, the one with the most chats first.
 */
export interface Accounts {
  source: "local";
  accounts: Account[];
}
/**
 * An account, as chats name it.
 */
export interface Account {
  /**
   * Empty where chats name the id only.
   */
  login: string;
  /**
   * Empty where chats name the login only.
   */
  account_id: string;
  chat_count: number;
}
/**
 * Parameters of `handles.whois`.
 */
export interface HandlesWhoisParams {
  /**
   * A phone number or an e-mail address.
   */
  address: string;
}
/**
 * The service on which an address can be reached, as far as earlier messages tell.
 */
export interface Whois {
  /**
   * As asked.
   */
  address: string;
  service: "imessage" | "sms" | "unknown";
  known: boolean;
  source: "local";
}
/**
 * Parameters of `contacts.lookup`.
 */
export interface ContactsLookupParams {
  /**
   * A phone number or an e-mail address.
   */
  address: string;
}
/**
 * The name that the owner's contacts have for an address.
 */
export interface ContactName {
  /**
   * As asked.
   */
  address: string;
  /**
   * Empty where there is none.
   */
  local_contact_name: string;
  found: boolean;
  source: "local-addressbook";
  /**
   * True where nobody can be found, because the contacts cannot be read.
   */
  contacts_unavailable: boolean;
}
/**
 * Parameters of `connection.compat`.
 */
export interface ConnectionCompatParams {
  /**
   * `0.9`: take parameters as imsg 0.3 to 0.9 did, as far as it is safe. `0.15`: strictly. Default: "0.15".
   */
  version?: "0.15" | "0.9";
}
/**
 * How the connection takes parameters from now on.
 */
export interface ConnectionCompat {
  ok: boolean;
  version: "0.15" | "0.9";
}
/**
 * Parameters of `connection.scopes`.
 */
export interface ConnectionScopesParams {
  /**
   * Of `read`, `send` and `policy`, all that this connection is to keep. What it does not have it cannot get.
   */
  scopes?: string[];
}
/**
 * What a connection may do.
 */
export interface ConnectionScopes {
  ok: boolean;
  /**
   * Of `read`, `send` and `policy`, those that this connection has now.
   */
  scopes: string[];
}
/**
 * Parameters of `chats.background`.
 */
export interface ChatsBackgroundParams {
  /**
   * The chat's row. At least 1.
   */
  chat_id: number;
}
/**
 * The picture behind a chat. What is not written down is left out.
 */
export interface Background {
  /**
   * Always true: a failure is an error.
   */
  ok: boolean;
  chat_id: number;
  chat_guid: string;
  background_set: boolean;
  background_channel_guid?: string;
  asset_url?: string;
  asset_id?: string;
  object_id?: string;
  file_size?: number;
  poster_version?: number;
  communication_safety_state?: number;
  version?: number;
  /**
   * Where Messages keeps the picture, with a channel.
   */
  cache_path?: string;
  cache_exists?: boolean;
  watch_background_path?: string;
  watch_background_exists?: boolean;
  latest_event?: BackgroundEvent;
}
/**
 * The last time that the background was set or taken away.
 */
export interface BackgroundEvent {
  row_id: number;
  guid: string;
  action: "set" | "clear";
  date: string;
}
/**
 * What the server says without being asked: its `params`, by method.
 */
export interface Notifications {
  /**
   * A message came, or is replayed.
   */
  message: MessageNotification;
  /**
   * A message that was delivered before was edited or taken back. Only where `include_edits` asks for it.
   */
  "message.updated": UpdateNotification;
  /**
   * The client read too slowly. What was waiting has been sent; this is the last of the subscription.
   */
  "watch.overflow": Overflow;
  /**
   * The database was replaced, restored or renumbered: row numbers that were told before mean nothing any more. The subscription goes on.
   */
  "watch.reset": StreamReset;
  /**
   * A verdict on a message, once it is kept.
   */
  journal: JournalNotification;
  /**
   * The client read too slowly and missed verdicts. The subscription goes on; `journal.list` has them.
   */
  "journal.missed": JournalMissed;
  /**
   * How far `policy.replay` has come, before its answer.
   */
  "policy.replay.progress": ReplayProgress;
  /**
   * A line of a policy's log. Messages may be quoted in it.
   */
  "plugin.log": PluginLogNotification;
  /**
   * The client read too slowly and missed lines. The subscription goes on; `plugins.log` has those that are kept.
   */
  "plugin.log.missed": PluginLogMissed;
  /**
   * The stream broke off. This is the last of the subscription.
   */
  error: StreamError;
}
/**
 * Notification `message`.
 */
export interface MessageNotification {
  subscription: number;
  message: Message;
  /**
   * For `watch.ack`. Only for consumers with a name.
   */
  cursor?: string;
}
/**
 * Notification `message.updated`, for subscriptions that ask with `include_edits`.
 */
export interface UpdateNotification {
  subscription: number;
  /**
   * As it is now.
   */
  message: Message;
  change: "edited" | "unsent";
  /**
   * For `watch.ack`. Only for consumers with a name.
   */
  cursor?: string;
}
/**
 * Notification `watch.overflow`: the client read too slowly, and this is the last of the subscription.
 */
export interface Overflow {
  subscription: number;
  /**
   * Subscribe with this as `since_rowid` to miss nothing.
   */
  resume_after_rowid: number;
  reason: "buffer_limit_exceeded";
  /**
   * Always true.
   */
  terminal: boolean;
}
/**
 * Notification `watch.reset`: the database was replaced, restored or renumbered, and the subscription goes on.
 */
export interface StreamReset {
  subscription: number;
  /**
   * `renumbered`: nothing is missed, but row numbers of before mean nothing. `lost`: besides, messages may be missed
   * or come again, as the last one was not found.
   */
  reason: "renumbered" | "lost";
  /**
   * In a sentence, for people.
   */
  detail: string;
  /**
   * Where it goes on, in the new numbers.
   */
  resume_after_rowid: number;
  /**
   * Always false.
   */
  terminal: boolean;
}
/**
 * Notification `journal`.
 */
export interface JournalNotification {
  subscription: number;
  entry: JournalEntry;
}
/**
 * Notification `journal.missed`: the client read too slowly. `journal.list` has what it missed.
 */
export interface JournalMissed {
  subscription: number;
  /**
   * How many verdicts.
   */
  missed: number;
}
/**
 * Notification `policy.replay.progress`, several within a second.
 */
export interface ReplayProgress {
  /**
   * The id of the request.
   */
  request: {
    [k: string]: unknown | undefined;
  };
  /**
   * Row numbers that are behind it, and that there are in all, with those of the owner's own messages.
   */
  rows: number;
  rows_in_all: number;
  judged: number;
  different: number;
  /**
   * Messages that the candidate holds because one of its policies failed.
   */
  failed: number;
}
/**
 * Notification `plugin.log`.
 */
export interface PluginLogNotification {
  subscription: number;
  /**
   * The name of the policy.
   */
  plugin: string;
  line: PluginLogLine;
}
/**
 * Notification `plugin.log.missed`: the client read too slowly. `plugins.log` has what is kept of it.
 */
export interface PluginLogMissed {
  subscription: number;
  /**
   * How many lines, of all policies together.
   */
  missed: number;
}
/**
 * Notification `error`: the stream broke off, and this is the last of the subscription.
 */
export interface StreamError {
  subscription: number;
  error: StreamFailure;
  /**
   * Always true.
   */
  terminal: boolean;
}
/**
 * Why a stream broke off.
 */
export interface StreamFailure {
  message: string;
  /**
   * A code of errors, as -32002 for the database.
   */
  code: number;
}
/**
 * What an error carries as `data` where that is an object, by code. Where it is none, it is a text.
 */
export interface ErrorData {
  "-32603": DeliveryFailure;
  "-32001": DeliveryFailure;
  "-32002": DatabaseUnavailable;
}
/**
 * How far a send came that failed.
 */
export interface DeliveryFailure {
  /**
   * Can it be sent again without a risk that it is delivered twice?
   */
  retry_safe: boolean;
  /**
   * `not_started`: it surely did not leave. `may_have_completed`: nobody can know. `still_in_flight`: it may still
   * leave, and nothing else does until imsgd is restarted.
   */
  disposition: "not_started" | "may_have_completed" | "still_in_flight";
  transport: "applescript" | "bridge_v2";
  operation: string;
  /**
   * What happened, in one line without the message's text.
   */
  detail: string;
}
/**
 * Why the database of Messages cannot be read now.
 */
export interface DatabaseUnavailable {
  path: string | null;
  /**
   * What happened, and what to do.
   */
  detail: string;
  /**
   * Can the same request succeed later?
   */
  retryable: boolean;
}
