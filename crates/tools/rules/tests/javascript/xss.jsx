import React from "react";
import DOMPurify from "dompurify";

export function Post({ post }) {
  // ruleid: assay.javascript.react-unescaped-html
  const raw = <div dangerouslySetInnerHTML={{ __html: post.body }} />;
  // ok: assay.javascript.react-unescaped-html
  const clean = <div dangerouslySetInnerHTML={{ __html: DOMPurify.sanitize(post.body) }} />;
  // ok: assay.javascript.react-unescaped-html
  const text = <p>{post.body}</p>;
  return <article>{raw}{clean}{text}</article>;
}
