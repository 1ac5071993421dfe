//! What the rules know by name and no file changes: fragments, index files, what the AMP viewer adds.

/// Fragments of what is part of every page, and so never an item's identity. Lower case.
pub(super) const UI_FRAGMENTS: &[&str] = &[
    // Where a reader is sent to write or read comments: WordPress, Blogger, Drupal, Movable Type, Disqus and others.
    "addcomment",
    "add-comment",
    "add_comment",
    "comment-form",
    "comment-list",
    "comment-section",
    "commentform",
    "comment_form",
    "commentlist",
    "comments",
    "comments-area",
    "comments-container",
    "comments-form",
    "comments-list",
    "comments-section",
    "comments-wrapper",
    "comments_section",
    "commentsection",
    "comments-title",
    "comments-top",
    "cusdis_thread",
    "disqus_comments",
    "disqus_thread",
    "fb-comments",
    "hypercomments_widget",
    "idc-container",
    "isso-thread",
    "leave-a-comment",
    "leave-comment",
    "leave-reply",
    "new-comment",
    "new_comment",
    "post-comment",
    "postcomment",
    "post-comments",
    "postcomments",
    "remark42",
    "replies",
    "reply",
    "reply-title",
    "respond",
    "view-comments",
    "write-comment",
    // Parts of every page.
    "article",
    "content",
    "main",
    "main-content",
    "maincontent",
    "page-top",
    "pagetop",
    "primary",
    "share",
    "sharing",
    "site-content",
    "top",
    "back-to-top",
    "backtotop",
    "readmore",
    "read-more",
    "continue-reading",
    // What Facebook's login, Google's advertisements and AddThis leave behind.
    "_=_",
    "google_vignette",
];

/// Index files that a server gives for the directory. Not `index.xml` or `index.rss`: those are feeds.
pub(super) const INDEX_FILES: &[&str] = &["index.html", "index.htm", "index.php", "index.shtml"];

/// What the AMP viewer adds, in the query or the fragment.
pub(super) const AMP_VIEWER: &[&str] = &["amp_js_v", "amp_gsa", "amp_tf", "ampshare", "aoh", "csi", "referrer", "usqp"];

/// Hosts whose links break when anything is taken from them: the whole link is signed.
pub(super) const SHOWN_AS_GIVEN: &[&str] = &["urldefense.com", "urldefense.proofpoint.com"];
