"""Cypher for retrievers: what follows a search for passages, so that its answer brings their pictures."""

PICTURES_OF_PASSAGES = """
OPTIONAL MATCH (node)-[:FROM_DOCUMENT]->(document)
OPTIONAL MATCH (node)-[link:HAS_VISUAL_EVIDENCE|REFERENCES]->(image:Image)
WITH node, score, document, image, max(link.confidence) AS confidence, max(link.score) AS points,
     'REFERENCES' IN collect(type(link)) AS referenced, head(collect(link.reason)) AS reason,
     collect(CASE WHEN trim(coalesce(link.caption, '')) <> '' THEN link.caption
                  WHEN trim(coalesce(link.alt, '')) <> '' THEN link.alt END) AS said
OPTIONAL MATCH (image)-[place:IN_COLLECTION {collection: node.collection}]->(:Collection)
WITH node, score, document, image, confidence, points, referenced, reason, place,
     said + [(:Chunk {collection: node.collection})-[other:REFERENCES]->(image)
             WHERE trim(coalesce(other.caption, other.alt, '')) <> '' | coalesce(other.caption, other.alt)] AS said
ORDER BY referenced DESC, confidence DESC, image.id
RETURN node.id AS chunk_id, node.collection AS collection, node.text AS text, node.heading AS heading,
       document.title AS document, document.path AS document_path, document.uri AS document_uri,
       node.line_start AS line_start, node.line_end AS line_end, node.page AS page, score,
       [picture IN collect({
          uri: place.uri, path: place.paths[0], image_id: image.id, confidence: confidence, score: points,
          referenced: referenced, caption: head(said), reason: reason
        }) WHERE picture.image_id IS NOT NULL] AS pictures
ORDER BY score DESC, chunk_id
"""
"""`retrieval_query` of neo4j-graphrag's VectorCypherRetriever and HybridCypherRetriever: a row per passage.

Columns: chunk_id, collection, text, heading, document (title), document_path, document_uri, line_start, line_end, page,
score (of the search), pictures (list of maps: uri, path, image_id, confidence 0 to 1, score 0 to 10, referenced,
caption, reason). Pictures that the document itself shows at the passage come first; confidence, score and reason are
null where no evidence was found besides. `caption` is the document's caption or alternative text, else that of another
place in the collection.
"""
